#!/usr/bin/env python3
# once
"""The JSON Schemas under conf/: what is shipped and what the tests hold for good fits, and what is
broken in ways that a schema can tell does not."""

import glob
import json
import os
import re

import jsonschema
import yaml

from lib import checks
from lib.checks import TOP, case, check, equal

CONF = os.path.join(TOP, "conf")
TABLES = os.path.join(TOP, "tests", "tables", "rules")

# Broken files that a schema must refuse: a kind each of what it can tell.
REFUSED = ("rule-unknown-key", "rule-no-id", "rule-no-when", "rule-mode", "rule-score-range",
           "rule-score-text", "rule-score-fraction", "rule-type", "rule-expires", "rule-not-a-mapping",
           "rule-title-key", "rules-not-a-list", "rollout-text", "budget-text",
           "policy-do", "policy-at-range", "policy-profile", "policy-with-500", "policy-608",
           "policy-else", "policy-per", "list-unknown-key", "list-numbers-kind",
           "lists-not-a-mapping", "table-no-value", "table-value-type", "table-unknown-key",
           "card-no-points", "card-points-range", "card-unknown-key", "group-score",
           "file-unknown-key", "test-expect", "test-feature", "test-choice", "test-given-missing",
           "test-unknown-key", "action-do", "top-level-list", "top-level-misspelt")


class Loader(yaml.SafeLoader):
    """YAML 1.2, as language servers read it: no dates, and yes and no are texts."""


Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
        ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
        ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
        ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
        ("float", r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$",
         list("-+.0123456789"))):
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader)


def schema(name):
    with open(os.path.join(CONF, name), encoding="utf-8") as file:
        content = json.load(file)
    jsonschema.Draft7Validator.check_schema(content)
    return jsonschema.Draft7Validator(content)


def faults(validator, content):
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
            for error in validator.iter_errors(content)]


def rules_schema_of_tables():
    """The tables of tests have features of their own, test.*."""
    validator = schema("rules.schema.json")
    validator.schema["definitions"]["given"]["patternProperties"]["^test[.]"] = {}
    return validator


@case("what is shipped")
def shipped():
    found = glob.glob(os.path.join(CONF, "*.yaml")) + glob.glob(os.path.join(CONF, "rules", "*.yaml"))
    check(len(found) >= 2, f"{len(found)} files")
    for path in sorted(found):
        with open(path, encoding="utf-8") as file:
            line = file.readline()
        match = re.match(r"# yaml-language-server: [$]schema=(\S+)$", line)
        if not check(match, f"{os.path.relpath(path, TOP)} names its schema in the first line", line):
            continue
        target = os.path.normpath(os.path.join(os.path.dirname(path), match.group(1)))
        equal(faults(schema(os.path.relpath(target, CONF)), read(path)), [], "and fits it")


@case("good rule files")
def good():
    validator = rules_schema_of_tables()
    for path in sorted(glob.glob(os.path.join(TABLES, "*.rules"))):
        equal(faults(validator, read(path)), [], os.path.basename(path))
    with open(os.path.join(TOP, "docs", "rules.md"), encoding="utf-8") as file:
        page = file.read()
    for kind, name in (("yaml", "rules.schema.json"), ("yaml tests", "tests.schema.json")):
        blocks = re.findall(rf"(?ms)^```{kind}\n(.*?)^```$", page)
        equal([fault for block in blocks for fault in faults(schema(name), yaml.load(block, Loader))],
              [], f"{len(blocks)} blocks of docs/rules.md marked {kind}")


@case("broken rule files")
def broken():
    validator = rules_schema_of_tables()
    for name in REFUSED:
        content = read(os.path.join(TABLES, "broken", f"{name}.yaml"))
        check(faults(validator, content), f"{name} is refused", content)


@case("a configuration with faults")
def configuration():
    validator = schema("ringfence.schema.json")
    path = os.path.join(CONF, "ringfence.yaml")
    for text, change in (
            ("an unknown section", lambda c: c.update(screning={})),
            ("no trunks", lambda c: c.pop("trunks")),
            ("an unknown key", lambda c: c["trunks"][0].update(trust=True)),
            ("a duration without a unit", lambda c: c.update(drain=10)),
            ("a duration with another unit", lambda c: c.update(drain="10sec")),
            ("a size that is none", lambda c: c.update(ring="1 MB")),
            ("a port out of range", lambda c: c["reputation"].update(port=70000)),
            ("a choice that is none", lambda c: c["log"].update(level="loud")),
            ("a percentage beyond 100", lambda c: c["reputation"].update(hold_percent=120)),
            ("a flag that is none", lambda c: c.update(pin_workers="maybe")),
            ("a text that is a list", lambda c: c.update(node=["a"])),
            ("no listener", lambda c: c.update(listen=[]))):
        content = read(path)
        change(content)
        check(faults(validator, content), f"{text} is refused", content)
    for text, change in (
            ("a duration", lambda c: c.update(drain="1m30s")), ("0", lambda c: c.update(drain=0)),
            ("a size", lambda c: c.update(ring="1MiB")),
            ("a size in bytes", lambda c: c.update(ring=1048576)),
            ("a percentage", lambda c: c["reputation"].update(hold_percent="12.5%")),
            ("a yes", lambda c: c.update(pin_workers="yes")),
            ("an integer in groups", lambda c: c["reputation"].update(capacity="16_000_000")),
            ("one text for a list", lambda c: c.update(rules="rules/core.yaml")),
            ("a name of digits", lambda c: c["screening"].update(block_with=603)),
            ("an empty section", lambda c: c.update(screening=None))):
        content = read(path)
        change(content)
        equal(faults(validator, content), [], f"{text} is accepted")


checks.main(limit=60)
