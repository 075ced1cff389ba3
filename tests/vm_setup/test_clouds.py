"""What vm-setup/ makes in Azure and GCP, in which order, cut short or not, and what it removes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vm_setup import azure
from tests.vm_setup.clouds import Cloud, failures

HOME = "203.0.113.7/32"
ORDER = {
    ("azure", ""): [
        "group create", "network nsg create", "network nsg rule create", "network nsg rule create",
        "network vnet create", "network public-ip create", "network nat gateway create",
        "network vnet subnet create", "network vnet subnet create", "network public-ip create",
        "network bastion create", "group create", "storage account create",
        "storage account blob-service-properties update", "storage container-rm create",
        "network nic create", "vm create", "role assignment create",
    ],
    ("azure", HOME): [
        "group create", "network nsg create", "network nsg rule create", "network nsg rule create",
        "network vnet create", "network vnet subnet create", "group create",
        "storage account create", "storage account blob-service-properties update",
        "storage container-rm create", "network public-ip create", "network nic create",
        "vm create", "role assignment create",
    ],
    ("gcp", ""): [
        "compute networks create", "compute networks subnets create",
        "compute firewall-rules create", "compute routers create", "compute routers nats create",
        "storage buckets create", "iam service-accounts create",
        "storage buckets add-iam-policy-binding", "compute disks create",
        "compute instances create",
    ],
    ("gcp", HOME): [
        "compute networks create", "compute networks subnets create",
        "compute firewall-rules create", "storage buckets create", "iam service-accounts create",
        "storage buckets add-iam-policy-binding", "compute disks create",
        "compute instances create",
    ],
}  # fmt: skip


@pytest.fixture(params=ORDER, ids=lambda one: f"{one[0]}-{'public' if one[1] else 'private'}")
def cloud(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    """Each cloud, with and without a public address."""
    kind, ssh_from = request.param
    with Cloud.of(kind, tmp_path, ssh_from) as cloud:
        yield cloud


@pytest.fixture(params=["azure", "gcp"])
def private(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cloud]:
    """Each cloud, without one."""
    with Cloud.of(request.param, tmp_path) as cloud:
        yield cloud


def words(command: list[str]) -> str:
    """What a command is called, without names and options."""
    first = next((i for i, one in enumerate(command) if one.startswith("--")), len(command))
    named = command[:first]
    return " ".join(one for one in named if not re.search(r"poolsight|://|clinic", one))


def test_up_makes_all_of_it_in_order_and_nothing_the_second_time(cloud: Cloud) -> None:
    first = cloud.up()
    assert first.returncode == 0, first.stderr
    ssh_from = cloud.environment["VM_SSH_FROM"]
    assert [words(one) for one in cloud.changes] == ORDER[cloud.kind, ssh_from]
    made, changes = cloud.things, cloud.changes

    again = cloud.up()
    assert again.returncode == 0, again.stderr
    assert cloud.changes == changes
    assert cloud.things == made
    assert "making" not in again.stderr, again.stderr


def test_only_ssh_comes_in_and_only_from_where_it_was_said(cloud: Cloud) -> None:
    assert cloud.make()
    ssh_from = cloud.environment["VM_SSH_FROM"]
    told = "\n".join(" ".join(command) for command in cloud.changes)
    assert not re.search(r"3306|33060|9090|3000|8080|9104", told)
    expected = {"azure": "10.20.0.64/26", "gcp": "35.235.240.0/20"}[cloud.kind]
    if cloud.kind == "azure":
        rules = [
            one["options"] for one in cloud.things.values() if one["type"] == "network nsg rule"
        ]
        allowed = [one for one in rules if one["access"] == ["Allow"]]
        assert [
            (one["source-address-prefixes"], one["destination-port-ranges"]) for one in allowed
        ] == [([ssh_from or expected], ["22"])]
        assert [one["priority"] for one in rules if one["access"] == ["Deny"]] == [["4096"]]
        (nic,) = [one for one in cloud.things.values() if one["type"] == "network nic"]
        assert ("public-ip-address" in nic["options"]) is bool(ssh_from)
    else:
        (rule,) = [one for key, one in cloud.things.items() if "firewall" in key]
        assert rule["sourceRanges"] == [ssh_from or expected]
        assert rule["options"]["allow"] == ["tcp:22"]
        (machine,) = [one for key, one in cloud.things.items() if "instances" in key]
        assert ("no-address" in machine["options"]) is not bool(ssh_from)


def test_a_dry_run_prints_the_same_and_changes_nothing(cloud: Cloud) -> None:
    dry = cloud.up("--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert cloud.things == {}
    assert cloud.changes == []
    program = {"azure": "az", "gcp": "gcloud"}[cloud.kind]
    printed = [line.removeprefix(f"  + {program} ").split() for line in dry.stderr.splitlines()
               if line.startswith(f"  + {program} ")]  # fmt: skip
    assert [words(one) for one in printed] == ORDER[cloud.kind, cloud.environment["VM_SSH_FROM"]]


def test_check_tells_what_is_missing_and_ends_with_one(private: Cloud) -> None:
    before = private.up("--check")
    assert before.returncode == 1
    assert "missing  virtual machine poolsight" in before.stderr
    assert private.changes == []
    assert private.up().returncode == 0
    changes = private.changes
    after = private.up("--check")
    assert after.returncode == 0, after.stderr
    assert "missing" not in after.stderr
    assert private.changes == changes


@pytest.mark.parametrize("how", ["before", "half"])
def test_cut_short_it_is_finished_by_running_it_again_and_can_be_removed(
    private: Cloud, how: str
) -> None:
    # Every change in turn fails in `make drill-clouds`.
    changes = len(ORDER[private.kind, ""])
    assert failures(private, how, range(3, changes + 1, changes // 2)) == {"differ": [], "left": []}


def test_down_removes_what_was_made_and_keeps_the_backups_unless_told(private: Cloud) -> None:
    assert private.make()
    refused = private.down(text="no\n")
    assert refused.returncode == 1
    assert "nothing was deleted" in refused.stderr
    dry = private.down("--dry-run")
    assert dry.returncode == 0, dry.stderr
    left = private.down("--yes")
    assert left.returncode == 0, left.stderr
    assert "The backups stay" in left.stderr
    assert {key.split("/")[0] for key in private.things} == {
        "azure": {"poolsight-backups"},
        "gcp": {"storage buckets"},
    }[private.kind]
    assert not any("serviceAccount" in str(one.get("members")) for one in private.things.values())
    name = {"azure": "poolsight-backups", "gcp": "poolsight"}[private.kind]
    everything = private.down("--with-backups", text=f"{name}\n")
    assert everything.returncode == 0, everything.stderr
    assert private.things == {}


def test_what_others_made_is_left_alone(private: Cloud) -> None:
    theirs: dict[str, Any] = {
        "azure": {"poolsight": {"id": "/poolsight", "tags": {"team": "other"}, "options": {}}},
        "gcp": {"compute networks/poolsight": {"id": "1", "uses": [], "options": {}}},
    }[private.kind]
    private.account.things.update(theirs)
    up = private.up()
    assert up.returncode == 1
    assert "Choose another VM_NAME" in up.stderr
    assert not private.make()
    assert private.down("--yes", "--with-backups").returncode == 0
    assert private.things == theirs


def test_a_way_in_that_is_forgotten_is_told(private: Cloud) -> None:
    assert private.up(VM_SSH_FROM=HOME).returncode == 0
    changes = private.changes
    again = private.up()
    assert again.returncode == 1
    assert "VM_SSH_FROM is set as it was" in again.stderr
    assert private.changes == changes


def misses(text: str) -> list[str]:
    return re.findall(r"^missing  (.*)$", text, re.MULTILINE)


def test_preflight_names_every_miss_at_once(tmp_path: Path) -> None:
    nowhere = {**azure.SIZE, "restrictions": [{"type": "Location"}]}
    with Cloud.of("azure", tmp_path / "azure") as one:
        one.account.cloud |= {"provider": "NotRegistered", "sizes": [nowhere]}
        told = one.up(VM_SSH_FROM="0.0.0.0/0", VM_SSH_KEY="/nowhere", VM_DATA_GB="5")
        assert told.returncode == 1
        assert one.changes == []
    assert [miss.split(" ")[0] for miss in misses(told.stderr)] == [
        "VM_SSH_KEY", "VM_SSH_FROM", "VM_DATA_GB", "provider", "provider", "provider", "AZURE_SIZE",
    ]  # fmt: skip
    with Cloud.of("gcp", tmp_path / "gcp") as one:
        one.account.cloud |= {"zones": [], "quota": {"usage": "23.0", "limit": "24.0"}}
        told = one.up(VM_NAME="x")
        assert told.returncode == 1
        assert one.changes == []
    assert [miss.split(" ")[0] for miss in misses(told.stderr)] == ["VM_NAME", "GCP_ZONE", "2"]


def test_preflight_without_quota_login_or_program(tmp_path: Path) -> None:
    with Cloud.of("azure", tmp_path / "azure") as one:
        full = {"name": {"value": "cores"}, "currentValue": 9, "limit": 10}
        one.account.cloud["usage"] = [
            full,
            {**full, "name": {"value": azure.SIZE["family"]}, "currentValue": 0},
        ]
        assert misses(one.up().stderr) == ["2 cores are left of the quota cores"]
        one.account.cloud["account"] = None
        assert misses(one.up().stderr) == ["az is logged in"]
        (one.programs / "az").unlink()
        none = one.up(PATH=f"{one.programs}:/usr/bin:/bin")
        assert misses(none.stderr) == ["az, Azure's command line"]
        assert "https://" in none.stderr
    with Cloud.of("gcp", tmp_path / "gcp") as one:
        assert misses(one.up(GCP_PROJECT="").stderr) == ["GCP_PROJECT is set ()"]


def test_the_machine_is_told_of_its_disk_and_its_backups(private: Cloud, tmp_path: Path) -> None:
    assert private.up().returncode == 0
    told = (tmp_path / "settings.sh").read_text()
    expected = {
        "azure": ["HOST_DATA_DISK=/dev/disk/azure/scsi1/lun0", "BACKUP_REPOSITORY=azure:backups:/",
                  "BACKUP_ENVIRONMENT=AZURE_ACCOUNT_NAME=poolsight"],
        "gcp": ["HOST_DATA_DISK=/dev/disk/by-id/google-data",
                "BACKUP_REPOSITORY=gs:clinic-test-poolsight-backups:/"],
    }[private.kind]  # fmt: skip
    for line in expected:
        assert line in told
    commands = (tmp_path / "commands").read_text().splitlines()
    assert commands[-1].endswith("sudo /opt/poolsight/vm-setup/host/up")


def test_own_backups_get_no_storage(private: Cloud) -> None:
    assert private.up(BACKUP_REPOSITORY="sftp:backup@example.org:/poolsight").returncode == 0
    assert not any("storage" in key for key in private.things)
