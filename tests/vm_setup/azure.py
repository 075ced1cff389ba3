"""Azure's stand-in."""

from __future__ import annotations

import socket
from typing import Any

import jmespath

from tests.vm_setup.stand_in import HalfError, RefusedError, StandIn, Thing, parse

Options = dict[str, list[str]]
CHANGE = {"create", "update", "delete"}
OWNERS = {
    "network nsg rule": "--nsg-name",
    "network vnet subnet": "--vnet-name",
    "storage container-rm": "--storage-account",
    "storage account blob-service-properties": "--account-name",
}
STATELESS = {"storage container-rm", "storage account blob-service-properties"}
# What an option names must be there.
NEEDED = {
    "--vnet-name": "network vnet", "--subnet": "network vnet subnet", "--nsg-name": "network nsg",
    "--network-security-group": "network nsg", "--nat-gateway": "network nat gateway",
    "--public-ip-address": "network public-ip", "--public-ip-addresses": "network public-ip",
    "--nics": "network nic", "--storage-account": "storage account",
    "--account-name": "storage account",
}  # fmt: skip
SIZE = {
    "name": "Standard_D2as_v5", "family": "standardDASv5Family", "restrictions": [],
    "capabilities": [{"name": "MemoryGB", "value": "8"}, {"name": "vCPUs", "value": "2"}],
}  # fmt: skip
ACCOUNT = {
    "account": {"id": "00000000-0000-0000-0000-000000000001"},
    "provider": "Registered",
    "locations": [{"name": "germanywestcentral"}, {"name": "westeurope"}],
    "sizes": [SIZE],
    "usage": [{"name": {"value": "cores"}, "currentValue": 4, "limit": 10},
              {"name": {"value": "standardDASv5Family"}, "currentValue": 0, "limit": 10}],
}  # fmt: skip


class Azure(StandIn):
    """A subscription."""

    def run(self, arguments: list[str]) -> str:
        words, options = parse(arguments)
        kind, verb = " ".join(words[:-1]), words[-1]
        whole = True
        try:
            self.note(arguments, verb in CHANGE)
        except HalfError:
            whole = False
        if verb == "tunnel":
            self.tunnels.append(socket.create_server(("127.0.0.1", int(options["--port"][0]))))
            return ""
        if self.cloud["account"] is None:
            raise RefusedError("Please run 'az login' to setup account.")
        thing = self._asked(kind, verb, options, whole)
        if not whole:
            raise RefusedError("the deployment failed half-way")
        if verb in CHANGE:
            return ""
        return _tsv(
            jmespath.search(options["--query"][0], thing) if "--query" in options else "there"
        )

    def _asked(self, kind: str, verb: str, options: Options, whole: bool) -> Any:
        known = {
            "account show": self.cloud["account"],
            "account list-locations": self.cloud["locations"],
            "provider show": {"registrationState": self.cloud["provider"]},
            "vm list-skus": self.cloud["sizes"],
            "vm list-usage": self.cloud["usage"],
            "extension show": {},
        }
        if f"{kind} {verb}" in known:
            return known[f"{kind} {verb}"]
        if kind == "role assignment":
            return self._role(verb, options)
        group = options.get("--resource-group", options.get("--name", [""]))[0]
        if (kind, verb) == ("resource", "list"):
            return [one for key, one in self.things.items() if key.startswith(f"{group}/")]
        if kind == "group":
            return self._group(verb, group, options)
        key = _key(kind, group, options)
        if verb == "show":
            self.need(key)
        else:
            self._make(key, kind, group, options, whole)
        return self.things[key]

    def _make(self, key: str, kind: str, group: str, options: Options, whole: bool) -> None:
        self.need(group)
        for option, needed in NEEDED.items():
            for name in options.get(option, []):
                self.need(_key(needed, group, options, name))
        state = {} if kind in STATELESS else {"provisioningState": ("Failed", "Succeeded")[whole]}
        self.things[key] = {
            **state, "id": f"/{key}", "type": kind, "name": key.rpartition("/")[2],
            "options": {name.lstrip("-"): values for name, values in options.items()},
            "sourceAddressPrefix": options.get("--source-address-prefixes", [None])[0],
            "ipAddress": "203.0.113.9", "identity": {"principalId": f"principal of {key}"},
            "deleteRetentionPolicy": {"enabled": True},
        }  # fmt: skip

    def _role(self, verb: str, options: Options) -> list[Thing]:
        scope = options["--scope"][0]
        self.need(scope.lstrip("/"))
        key = f"role{scope}"
        if verb == "create":
            who = options["--assignee-object-id"][0]
            if not who:
                raise RefusedError("no assignee")
            self.things[key] = {"id": key, "type": "role", "principalId": who}
        if verb == "delete":
            self.things.pop(key, None)
        return [self.things[key]] if key in self.things else []

    def _group(self, verb: str, name: str, options: Options) -> Thing | None:
        if verb == "create":
            tags = dict(tag.split("=", 1) for tag in options["--tags"])
            self.things[name] = {"id": f"/{name}", "type": "group", "tags": tags}
        elif verb == "delete":
            for key in [key for key in self.things if f"/{name}/" in f"/{key}/"]:
                del self.things[key]
        else:
            self.need(name)
        return self.things.get(name)


def _key(kind: str, group: str, options: Options, name: str = "") -> str:
    owner = [options[OWNERS[kind]][0]] if kind in OWNERS else []
    return "/".join([group, kind, *owner, name or options.get("--name", ["default"])[0]])


def _tsv(value: Any) -> str:
    """A value in az's format tsv, in which a plain list has a line for each item."""
    rows = value if isinstance(value, list) else [] if value is None else [value]
    return "\n".join(
        "\t".join(map(_cell, row)) if isinstance(row, list) else _cell(row) for row in rows
    )


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
