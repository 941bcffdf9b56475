"""Expand a template offline, as the SAM transform would.

Some mistakes show only after the transform: cfn-lint on the SAM template does not see the event
source mappings and deployments that come out of it.
"""

import json
import logging
import sys

from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

logging.disable(logging.WARNING)  # offline, it looks for feature switches and says that there are none

with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file.read())

for resource in template["Resources"].values():
    # Both would be uploaded by a deployment; the transform only wants to see where to.
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = {"Bucket": "placeholder", "Key": "code"}
    if resource["Type"] == "AWS::Serverless::Application":
        resource["Properties"]["Location"] = "https://s3.amazonaws.com/placeholder/nested"

json.dump(Translator({}, Parser()).translate(template, {}), sys.stdout, indent=1)
