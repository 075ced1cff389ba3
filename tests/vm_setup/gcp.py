"""GCP's stand-in."""

from __future__ import annotations

import re
from typing import Any

import jmespath

from tests.vm_setup.stand_in import HalfError, RefusedError, StandIn, Thing, parse

Options = dict[str, list[str]]
VERBS = ("describe", "list", "create", "delete", "update", "rm", "get-iam-policy",
         "add-iam-policy-binding", "remove-iam-policy-binding")  # fmt: skip
ASK = {"describe", "list", "get-iam-policy"}
# What an option names must be there.
NEEDED = {
    "--network": "compute networks", "--subnet": "compute networks subnets",
    "--router": "compute routers", "--service-account": "iam service-accounts",
}  # fmt: skip
ACCOUNT = {
    "account": "somebody@example.org", "project": "1234", "service": "enabled",
    "zones": ["europe-west3-a"], "types": {"e2-standard-2": 2},
    "quota": {"usage": "4.0", "limit": "24.0"},
}  # fmt: skip


class Gcp(StandIn):
    """A project."""

    def run(self, arguments: list[str]) -> str:
        words, options = parse(arguments)
        at = next(index for index, word in enumerate(words) if word in VERBS)
        kind, verb, name = " ".join(words[:at]), words[at], (words[at + 1 :] or [""])[0]
        whole = True
        try:
            self.note(arguments, verb not in ASK)
        except HalfError:
            whole = False
        thing = self._asked(kind, verb, name, options)
        if not whole:
            raise RefusedError("the operation timed out; it was made all the same")
        return _shown(options.get("--format", [""])[0], thing) if verb in ASK else ""

    def _asked(self, kind: str, verb: str, name: str, options: Options) -> Any:
        cloud = self.cloud
        known = {
            "auth list": {"account": cloud["account"]},
            "projects describe": {"projectNumber": cloud["project"]},
            "services list": {"config": {"name": cloud["service"]}},
            "compute zones describe": {"name": name if name in cloud["zones"] else None},
            "compute machine-types describe": {"guestCpus": cloud["types"].get(name)},
            "compute regions describe": {"quotas": cloud["quota"]},
        }
        if f"{kind} {verb}" in known:
            return known[f"{kind} {verb}"]
        if (kind, verb) == ("storage", "rm"):
            self.need(f"storage buckets/{name}")
            del self.things[f"storage buckets/{name}"]
            return None
        if kind == "iam service-accounts" and "@" not in name:
            name = f"{name}@{options['--project'][0]}.iam.gserviceaccount.com"
        return self._changed(kind, verb, f"{kind}/{name}", options)

    def _changed(self, kind: str, verb: str, key: str, options: Options) -> Thing | None:
        if verb == "create":
            self._create(key, kind, options)
            return None
        self.need(key)
        thing = self.things[key]
        if verb == "get-iam-policy":
            member = options["--filter"][0].partition("=")[2]
            role = "roles/storage.objectAdmin" if member in thing["members"] else None
            return {"bindings": {"role": role}}
        if verb.endswith("-iam-policy-binding"):
            self._bind(thing, verb, options["--member"][0])
        elif verb == "update":
            thing["sourceRanges"] = options["--source-ranges"]
        elif verb == "delete":
            self._delete(key)
        return thing

    def _bind(self, bucket: Thing, verb: str, member: str) -> None:
        self.need(f"iam service-accounts/{member.removeprefix('serviceAccount:')}")
        if verb.startswith("add"):
            bucket["members"].append(member)
        else:
            bucket["members"].remove(member)

    def _create(self, key: str, kind: str, options: Options) -> None:
        if key in self.things:
            raise RefusedError(f"{key} already exists")
        uses = [f"{NEEDED[option]}/{options[option][0]}" for option in NEEDED if option in options]
        if "--disk" in options:
            disk = dict(part.split("=") for part in options["--disk"][0].split(","))["name"]
            uses.append(f"compute disks/{disk}")
        for used in uses:
            self.need(used)
        public = {"networkInterfaces": [{"accessConfigs": [{"natIP": "203.0.113.9"}]}]}
        self.things[key] = {
            "name": key, "id": key, "description": options.get("--description", [None])[0],
            "sourceRanges": options.get("--source-ranges"), "uses": uses, "members": [],
            "options": {name.lstrip("-"): values for name, values in options.items()},
            **({} if "--no-address" in options or kind != "compute instances" else public),
        }  # fmt: skip

    def _delete(self, key: str) -> None:
        if key.startswith("compute routers/"):  # its NATs are a part of it
            for other in [one for one in self.things if key in self.things[one]["uses"]]:
                del self.things[other]
        users = [other for other, thing in self.things.items() if key in thing["uses"]]
        if users:
            raise RefusedError(f"{key} is in use by {users}")
        del self.things[key]


def _shown(form: str, thing: Any) -> str:
    inner = re.fullmatch(r"(?:value|csv\[no-heading\])\((.*)\)", form)
    if not inner:
        raise RefusedError(f"format {form}")
    paths = [path.strip().removesuffix(".list()") for path in inner[1].split(",")]
    values = [jmespath.search(path, thing) for path in paths]
    return ",".join(",".join(one) if isinstance(one, list) else str(one or "") for one in values)
