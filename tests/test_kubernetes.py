"""deploy/kubernetes holds manifests that Kubernetes takes, and gives each process what it needs."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from bot.app import CANCEL_SECONDS, CLOSING_SECONDS, GRACE_SECONDS
from bot.config import load_config

FOLDER = Path(__file__).parents[1] / "deploy/kubernetes"
VERSION = "1.31"
"""Of Kubernetes; pod-index, the newest thing in the manifests, came with 1.28."""
BOTS = ("bot.yaml", "several-bots.yaml")
PROCESSES = ("service.yaml", *BOTS)

Manifest = dict[str, Any]


def manifests(name: str) -> list[Manifest]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def of_kind(name: str, *kinds: str) -> Manifest:
    (found,) = (m for m in manifests(name) if m["kind"] in kinds)
    return found


def pod(name: str) -> Manifest:
    return of_kind(name, "Deployment", "StatefulSet")["spec"]["template"]


def container(name: str) -> Manifest:
    (found,) = pod(name)["spec"]["containers"]
    return found


@pytest.mark.parametrize("name", ["namespace.yaml", *PROCESSES])
def test_kubernetes_takes_each_manifest(name: str) -> None:
    for manifest in manifests(name):
        kubernetes_validate.validate(manifest, VERSION, strict=True)


def ray_pods() -> list[Manifest]:
    cluster = of_kind("ray.yaml", "RayService")["spec"]["rayClusterConfig"]
    return [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def workers() -> Manifest:
    (group,) = of_kind("ray.yaml", "RayService")["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    return group


def test_kubernetes_takes_the_pods_that_ray_runs_in() -> None:
    for kind in ("NetworkPolicy", "PodDisruptionBudget"):
        kubernetes_validate.validate(of_kind("ray.yaml", kind), VERSION, strict=True)
    for template in ray_pods():
        pod = {"apiVersion": "v1", "kind": "Pod"} | template
        pod["metadata"] = pod["metadata"] | {"name": "pod"}
        kubernetes_validate.validate(pod, VERSION, strict=True)


@pytest.mark.slow
def test_ray_runs_the_application_with_a_gpu_for_each_replica() -> None:
    schema = pytest.importorskip("ray.serve.schema")
    service = of_kind("ray.yaml", "RayService")["spec"]
    deployed = schema.ServeDeploySchema.model_validate(yaml.safe_load(service["serveConfigV2"]))
    (application,) = deployed.applications
    ours = yaml.safe_load((FOLDER.parent / "ray-serve.yaml").read_text(encoding="utf-8"))
    assert application.import_path == ours["applications"][0]["import_path"]
    assert application.deployments[0].num_replicas == workers()["replicas"]
    (worker,) = workers()["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_the_pods_of_ray_have_the_rights_of_the_service() -> None:
    service, own = pod("service.yaml")["spec"], container("service.yaml")
    for template in ray_pods():
        (ours,) = template["spec"]["containers"]
        assert ours["securityContext"] == own["securityContext"]
        assert template["spec"]["securityContext"]["runAsNonRoot"] is True
        assert template["metadata"]["labels"] == pod("service.yaml")["metadata"]["labels"]
        key, theirs = (
            [v for v in s["volumes"] if "secret" in v] for s in (service, template["spec"])
        )
        assert key == theirs


def test_one_pod_of_ray_may_be_moved_at_a_time() -> None:
    head_and_workers = 1 + workers()["replicas"]
    budget = of_kind("ray.yaml", "PodDisruptionBudget")["spec"]
    assert budget["minAvailable"] == head_and_workers - 1
    for template in ray_pods():
        assert template["metadata"]["labels"] == budget["selector"]["matchLabels"]


def test_a_pod_of_ray_gets_requests_when_it_takes_them() -> None:
    (own,) = workers()["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in own["ports"]}
    probe = own["readinessProbe"]["httpGet"]
    assert (probe["path"], ports[probe["port"]]) == ("/-/healthz", 8000)


def test_rays_own_memory_fits_into_that_of_its_pods() -> None:
    cluster = of_kind("ray.yaml", "RayService")["spec"]["rayClusterConfig"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        volumes = {volume["name"]: volume for volume in group["template"]["spec"]["volumes"]}
        assert volumes["shm"]["emptyDir"]["sizeLimit"] == "1Gi"
        assert int(group["rayStartParams"]["object-store-memory"]) < 2**30


def test_rays_pods_have_the_version_that_the_page_installs_and_a_token() -> None:
    cluster = of_kind("ray.yaml", "RayService")["spec"]["rayClusterConfig"]
    page = (FOLDER.parents[1] / "docs/kubernetes.md").read_text(encoding="utf-8")
    assert f'"ray[serve]=={cluster["rayVersion"]}"' in page
    assert cluster["authOptions"] == {"mode": "token"}


def test_what_the_kustomization_names_is_there() -> None:
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
    named = kustomization["resources"]
    assert set(named) == {"namespace.yaml", "service.yaml", "bot.yaml"}
    (generator,) = kustomization["configMapGenerator"]
    (file,) = generator["files"]
    key, _, source = file.partition("=")
    assert (FOLDER / source).exists()
    images = {image["name"] for image in kustomization["images"]}
    for name in PROCESSES:
        volumes = {volume["name"]: volume for volume in pod(name)["spec"]["volumes"]}
        assert volumes["config"]["configMap"]["name"] == generator["name"]
        assert {"name": "BOT_CONFIG", "value": f"/config/{key}"} in container(name)["env"]
        assert container(name)["image"] in images


def test_the_configuration_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "sesame")
    config = load_config(FOLDER / "config.yaml")
    assert config.discord.token.get_secret_value() == "sesame"
    assert config.inference.model == "gpt-oss-20b"


def test_the_comment_about_shards_gives_each_pod_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (FOLDER / "several-bots.yaml").read_text(encoding="utf-8")
    (line,) = (part for part in text.splitlines() if "shard_count" in part)
    config = tmp_path / "bot.yaml"
    config.write_text(line.strip(" #"), encoding="utf-8")
    monkeypatch.setenv("POD_INDEX", "1")
    discord = load_config(config).discord
    assert discord.shard_ids == [1]
    assert discord.shard_count == of_kind("several-bots.yaml", "StatefulSet")["spec"]["replicas"]


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_has_no_rights_that_it_does_not_need(name: str) -> None:
    spec, own = pod(name)["spec"], container(name)["securityContext"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] > 0
    assert spec["automountServiceAccountToken"] is False
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    mounts = {mount["mountPath"]: mount for mount in container(name)["volumeMounts"]}
    assert not mounts["/data"].get("readOnly")
    assert mounts["/run/secrets"]["readOnly"]


@pytest.mark.parametrize("name", PROCESSES)
def test_who_is_told_to_end_has_time_for_it(name: str) -> None:
    needed = GRACE_SECONDS + CLOSING_SECONDS + CANCEL_SECONDS
    assert pod(name)["spec"]["terminationGracePeriodSeconds"] > needed


@pytest.mark.parametrize("name", PROCESSES)
def test_secrets_come_by_reference(name: str) -> None:
    for variable in container(name)["env"]:
        if "value" in variable:
            assert not any(word in variable["name"] for word in ("TOKEN", "KEY", "STORAGE"))


def test_the_service_has_one_secret_one_gpu_and_its_own_health() -> None:
    spec, own = pod("service.yaml")["spec"], container("service.yaml")
    (secrets,) = (v["secret"] for v in spec["volumes"] if "secret" in v)
    assert [item["key"] for item in secrets["items"]] == ["INFERENCE_API_KEY"]
    assert own["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert own["readinessProbe"]["httpGet"]["path"] == "/health"
    assert "httpGet" not in own["livenessProbe"]  # it says 503 while the model loads
    assert "httpGet" not in own["startupProbe"]


@pytest.mark.parametrize("bots", BOTS)
def test_only_the_bot_reaches_the_service(bots: str) -> None:
    policy = of_kind("service.yaml", "NetworkPolicy")["spec"]
    service = of_kind("service.yaml", "Service")["spec"]
    labels = pod("service.yaml")["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == labels == service["selector"]
    (rule,) = policy["ingress"]
    (who,) = rule["from"]
    assert who["podSelector"]["matchLabels"] == pod(bots)["metadata"]["labels"]
    (port,) = rule["ports"]
    assert f"http://inference:{port['port']}/v1" in str(container(bots)["env"])


def test_several_bots_share_a_database_and_restart_one_after_the_other() -> None:
    spec = of_kind("several-bots.yaml", "StatefulSet")["spec"]
    assert spec["replicas"] > 1
    assert "volumeClaimTemplates" not in spec
    assert spec.get("updateStrategy", {}).get("type", "RollingUpdate") == "RollingUpdate"
    assert spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    by_name = {variable["name"]: variable for variable in container("several-bots.yaml")["env"]}
    assert "secretKeyRef" in by_name["STORAGE_URL"]["valueFrom"]
    assert container("several-bots.yaml")["readinessProbe"]
