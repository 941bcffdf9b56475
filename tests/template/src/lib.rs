//! Nothing ships from here: the tests of this package read template.yaml and the stacks of
//! infra/ and hold them to the design. They never call AWS.
