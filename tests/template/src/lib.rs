//! Nothing ships from here: the tests of this package read template.yaml and infra/data.yaml and
//! hold them to the design. They never call AWS.
