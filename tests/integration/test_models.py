"""The registry: the operator's commands, which name answers, what the API lists."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from engines import weights
from engines.generator import Generator
from engines.loaded import Loaded
from engines.prompt import Message
from engines.sampling import Sampling
from local.models_cli import models
from local.postgres import DATABASE
from models.errors import RedtenError
from models.model import find_adapter, find_model, served_models
from models.session import session_scope
from settings import settings
from tests.conftest import CLUSTER, LAYOUT
from tests.integration.gguf_files import write_adapter, write_model
from tests.integration.hub import hub
from tests.integration.processes import session_value
from tests.unit.test_local_commands import run as redten

Redten = Callable[..., str]


def _forget() -> None:
    with CLUSTER.connect(DATABASE) as connection:
        connection.execute(b"truncate models, model_aliases, adapters cascade")


@pytest.fixture
def folder(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty registry and an empty weights folder."""
    made = tmp_path / "weights"
    made.mkdir()
    told = {
        "database_admin_url": SecretStr(CLUSTER.admin_url),
        "weights_dir": made,
        "model_aliases": {"nick": "loose.gguf", "gone": "gone.gguf"},
    }
    for module in ("local.deployment", "local.model_files", "local.models_cli", "models.model"):
        monkeypatch.setattr(f"{module}.settings", settings.model_copy(update=told))
    _forget()
    yield made
    _forget()


@pytest.fixture
def command(folder: Path) -> Redten:
    """`redten models`; gives what it prints, all of it with the exit code if it fails."""

    def run(*words: object, fails: bool = False) -> str:
        ended = CliRunner().invoke(models, [str(word) for word in words])
        assert ended.exit_code == int(fails), (ended.output, ended.exception)
        return ended.output

    return run


@pytest.fixture
def small(command: Redten, tmp_path: Path) -> Path:
    """A model called `small` that is registered, and the file that it came from."""
    source = write_model(tmp_path / "small.gguf")
    command("add", source)
    return source


def resolved(name: str | None) -> str:
    with session_scope() as session:
        return find_model(session, name).name


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_model_that_is_added_is_copied_and_described(command, folder, small):
    shown = json.loads(command("show", "small", "--json"))

    assert (folder / shown["file"]).read_bytes() == small.read_bytes()
    assert shown["sha256"] == hashlib.sha256(small.read_bytes()).hexdigest()
    assert shown["size_in_bytes"] == small.stat().st_size
    assert (shown["architecture"], shown["quantization"]) == ("llama", "ALL_F32")
    assert (shown["n_ctx_train"], shown["parameters"]) == (256, 128)
    assert (shown["licence"], shown["has_chat_template"]) == ("apache-2.0", True)
    assert shown["default"] is False
    assert files(folder) == {"small.gguf"}


def test_a_file_in_the_weights_folder_is_registered_where_it_is(command, folder):
    write_model(folder / "here.gguf")

    command("add", folder / "here.gguf", "--name", "other")

    assert files(folder) == {"here.gguf"}
    assert resolved("other") == resolved("here.gguf") == "other"


def test_weights_are_written_anew_in_a_faster_format(command, folder, tmp_path):
    command("add", settings.weights_dir / settings.model, "--requantize", "Q4_0")

    shown = json.loads(command("show", "SmolLM2-135M-Instruct.Q4_0", "--json"))

    assert shown["quantization"] == "Q4_0"
    made = folder / shown["file"]
    assert shown["sha256"] == hashlib.sha256(made.read_bytes()).hexdigest()
    assert made.stat().st_size < (settings.weights_dir / settings.model).stat().st_size


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.gguf"], "is no file"),
        (["no.gguf"], "no.gguf is no GGUF"),
        (["cut.gguf"], "is truncated"),
        (["good.gguf", "--name", "a/b"], "leave the slash out"),
        (["good.gguf", "--name", "a@b"], "is no name"),
        (["good.gguf", "--name", "small"], "'small' is taken by the model small"),
        (["good.gguf", "--base", "small"], "is a whole model"),
        (["lora.gguf", "--requantize", "Q8_0"], "is an adapter"),
        (["lora.gguf", "--base", "nobody"], "no model 'nobody' is registered"),
        (["other-lora.gguf", "--base", "small"], "made for qwen2"),
        (["hf:nowhere"], "is not of the form hf:OWNER/REPO/FILE"),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_nothing(
    command, folder, small, tmp_path, words, said
):
    write_model(tmp_path / "good.gguf")
    write_adapter(tmp_path / "lora.gguf")
    write_adapter(tmp_path / "other-lora.gguf", architecture="qwen2")
    (tmp_path / "no.gguf").write_bytes(b"no")
    (tmp_path / "cut.gguf").write_bytes((tmp_path / "good.gguf").read_bytes()[:-100])
    source = words[0] if words[0].startswith("hf:") else tmp_path / words[0]

    output = command("add", source, *words[1:], fails=True)

    assert output.startswith("redten: ")
    assert said in output
    assert files(folder) == {"small.gguf"}
    assert session_value("select count(*) from models") == 1


def test_what_does_not_fit_the_memory_is_refused_with_the_numbers(command, folder, monkeypatch):
    less = settings.model_copy(update={"model_memory": 2**26})
    monkeypatch.setattr("engines.loaded.settings", less)

    output = command("add", settings.weights_dir / settings.model, fails=True)

    assert "takes about 0.2 GiB, and models may take 0.1 GiB here" in output
    assert files(folder) == set()


def test_a_model_is_fetched_from_a_hub(folder, tmp_path):
    content = write_model(tmp_path / "remote.gguf").read_bytes()
    with hub({"/someone/something/resolve/main/remote.gguf": content}) as address:
        told = {
            "HF_ENDPOINT": address,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "DATABASE_ADMIN_URL": CLUSTER.admin_url,
            "REDTEN_WEIGHTS_DIR": str(folder),
        }
        added = redten(["models", "add", "hf:someone/something/remote.gguf"], **told)
        missing = redten(["models", "add", "hf:someone/something/gone.gguf"], **told)

    assert (added.returncode, added.stdout) == (0, "added remote\n"), added.stderr
    assert (folder / "remote.gguf").read_bytes() == content
    assert missing.returncode == 1
    assert "hf:someone/something/gone.gguf cannot be fetched" in missing.stderr
    assert files(folder) == {"remote.gguf"}


def test_names_resolve_to_the_registered_the_installed_and_at_last_the_default(
    command, folder, small, monkeypatch
):
    write_model(folder / "loose.gguf")
    assert resolved("small") == resolved("small.gguf") == "small"
    assert resolved("loose.gguf") == resolved("nick") == "loose.gguf"
    assert resolved("gone") == settings.model
    assert resolved("../small.gguf") == resolved("a\0b") == resolved(None) == settings.model

    command("default", "small")
    command("alias", "openai/gpt", "small")

    assert resolved("mistral-7b") == resolved("openai/gpt") == resolved(None) == "small"


def test_there_is_one_default_and_an_alias_may_move(command, small, tmp_path):
    command("add", write_model(tmp_path / "large.gguf"))
    command("default", "small")
    command("alias", "gpt", "small")

    command("default", "large")
    command("alias", "gpt", "large")

    assert resolved("unknown") == resolved("gpt") == "large"
    assert "is taken by the model small" in command("alias", "small", "large", fails=True)


def test_the_default_and_what_adapters_hang_on_are_not_removed(command, folder, small, tmp_path):
    command("add", write_adapter(tmp_path / "lora.gguf"), "--base", "small")
    assert "has adapters, remove them first: lora" in command("rm", "small", fails=True)
    command("rm", "lora")
    command("default", "small")
    assert "`redten models default` another one first" in command("rm", "small", fails=True)
    assert files(folder) == {"small.gguf"}

    command("add", small, "--name", "other")
    command("default", "other")
    command("rm", "small")

    assert files(folder) == {"other.gguf"}
    assert "no model 'small' is registered" in command("show", "small", fails=True)


def test_an_adapter_that_is_named_must_exist_and_belong_to_the_model(command, folder, small):
    command("add", write_adapter(small.with_name("lora.gguf")), "--base", "small")
    command("add", write_model(small.with_name("other.gguf")))
    with session_scope() as session:
        right, other = find_model(session, "small"), find_model(session, "other")
        assert (folder / find_adapter(session, "lora", right)).is_file()
        for name, model in (("lora", other), ("no\0ne", right)):
            with pytest.raises(RedtenError) as refused:
                find_adapter(session, name, model)
            assert refused.value.code == "unknown_adapter"
    # What is half of a model answers to no model's name.
    assert resolved("lora.gguf") == settings.model


def test_the_api_lists_what_can_be_asked(command, http, headers, small):
    command("add", write_adapter(small.with_name("lora.gguf")), "--base", "small")
    command("alias", "gpt", "small")

    default, listed = http.get("/models", headers=headers).json["models"]

    assert (default["name"], default["default"]) == (settings.model, True)
    assert listed == {
        "name": "small",
        "aliases": ["gpt"],
        "quantization": "ALL_F32",
        "n_ctx_train": 256,
        "parameters": 128,
        "size_in_bytes": small.stat().st_size,
        "licence": "apache-2.0",
        "default": False,
        "adapters": ["lora"],
    }
    with session_scope() as session:
        assert [one.name for one in served_models(session)] == [settings.model, "small"]
    assert http.get("/models").status_code == 401


def test_a_list_of_models_marks_the_default(command, small):
    assert "small" in command("list")
    assert "default" not in command("list")
    command("default", "small")

    [header, row] = command("list").splitlines()

    assert header.split()[:2] == ["NAME", "QUANTISATION"]
    assert row.split()[0] == "small"
    assert row.split()[-1] == "default"


def test_the_application_cannot_write_the_registry(folder, tmp_path):
    source = write_model(tmp_path / "small.gguf")
    told = {"DATABASE_URL": CLUSTER.url, "REDTEN_WEIGHTS_DIR": str(folder)}

    ended = redten(["models", "add", str(source)], **told)

    assert ended.returncode == 1
    assert "permission denied for table models; it takes the owner" in ended.stderr
    assert files(folder) == set()
    for table in ("models", "model_aliases", "adapters"):
        for right in ("insert", "update", "delete"):
            asked = f"select has_table_privilege('redten_app', '{table}', '{right}')"
            assert session_value(asked) is False


def test_the_registry_of_a_running_stack_is_found_by_its_data_directory(
    folder, command, small, tmp_path, monkeypatch
):
    here = settings.model_copy(update={"database_url": None, "database_admin_url": None})
    monkeypatch.setattr("local.deployment.settings", here)

    assert "small" in command("--data-dir", LAYOUT.root, "list")
    assert "there is no redten in" in command("--data-dir", tmp_path, "list", fails=True)


def test_two_models_answer_at_the_same_time(tmp_path):
    source = settings.weights_dir / settings.model
    smaller = tmp_path / "smaller.gguf"
    weights.requantize(source, smaller, "Q4_0")
    loaded = Loaded(Generator, 2**33, 900)
    asked = "Paris is the capital of France. What is the capital of France?"
    chat = [Message(role="user", content=asked)]
    try:
        with loaded.borrowed(source) as one, loaded.borrowed(smaller) as other:
            for model in (one, other):
                assert "Paris" in model.generate(chat, Sampling(16)).text
            assert one.name != other.name
    finally:
        loaded.close()
