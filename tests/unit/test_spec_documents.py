"""Files of runs: values as kubectl reads them, problems at their place, no text that can do harm."""

from __future__ import annotations

import http.server
import threading
import time
from pathlib import Path

import pytest

from trainingrun.errors import InvalidSpec
from trainingrun.spec.documents import load_runs, read_files, read_text
from trainingrun.spec.scalars import plain_scalar, tagged_scalar

VALID = b"""\
apiVersion: trainingrun.dev/v1beta1
kind: TrainingRun
metadata:
  name: mnist
spec:
  image: trainer:1
  recipe:
    dataset:
      train: {format: Parquet, path: /data}
  storage:
    uri: s3://bucket/runs
"""


def said_about(text: bytes) -> list[str]:
    return [str(problem) for problem in read_text("run.yaml", text).problems]


def test_the_runs_of_a_file_are_loaded_in_order_with_their_lines(tmp_path):
    second = VALID.replace(b"mnist", b"cifar")
    path = tmp_path / "runs.yaml"
    path.write_bytes(b"---\n" + VALID + b"---\n# nothing here\n---\nkind: Secret\nkind: Secret\n---\n" + second)
    loaded = load_runs(path)
    assert [(found.run.metadata.name, found.source, found.line) for found in loaded] == [
        ("mnist", str(path), 2),
        ("cifar", str(path), 19),
    ]
    assert tuple(map(str, read_files([str(path)]).others)) == (
        f"{path}:16:1: skipped a document of kind Secret; only TrainingRun is checked",
    )


def test_a_file_with_problems_is_refused_with_each_at_its_place(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_bytes(VALID.replace(b"/data}", b"7}") + b"  trainer:\n    numNodes: two\n  image: again\n")
    with pytest.raises(InvalidSpec) as caught:
        load_runs(str(path))
    assert str(caught.value).splitlines() == [
        f"{path}:9:32: spec.recipe.dataset.train.path: found 7, allowed: text of 1 to 4096 characters: "
        "a file, directory, glob or URI without control characters; put it in quotes",
        f'{path}:13:5: spec.trainer.numNodes: found "two", allowed: a whole number from 1 to 1000',
        f"{path}:14:3: spec.image: found this key again, first on line 6, allowed: each key once",
    ]


def test_a_missing_field_is_reported_at_its_parent():
    said = said_about(VALID.replace(b"    uri: s3://bucket/runs\n", b"    checkpoints: {best: {}}\n"))
    assert [line.split(" found ")[0] for line in said] == ["run.yaml:11:19: spec.storage.checkpoints.best.metric:"]


PLACES = [
    (b"  env:\n  - name: A\n    value: 3\n", ":14:5: spec.env[0].value: found 3"),
    (b"  env: [{name: A, value: 'x'}, {name: A, value: y}]\n", ":12:33: spec.env[1].name: found A again"),
    (b"  env:\n  - 3\n", ":13:5: spec.env[0]: found 3"),
    (b"  data: {numNode: 1}\n", ":12:10: spec.data.numNode: found an unknown field"),
    (b"  data: &d {numNodes: 0}\n", ":12:13: spec.data.numNodes: found 0"),
    (b"  data: *nowhere\n", ":12:9: spec.data: found *nowhere, which is not defined before it"),
    (b"  data: &d {env: *d}\n", ":12:18: spec.data.env: found *d inside the value that it stands for"),
    (b"  data: !!python/object:os.system {}\n", ":12:9: spec.data: found the tag tag:yaml.org,2002:python"),
    (b"  backoffLimit: !!int x\n", ":12:17: spec.backoffLimit: found the tag tag:yaml.org,2002:int"),
    (b"  <<: {suspend: true}\n", ':12:3: spec["<<"]: found a merge (<<)'),
    (b"  3: x\n", ':12:3: spec["3"]: found the key 3, which is not text'),
    (b"  ? [a]\n  : b\n", ':12:5: spec[""]: found a list or mapping as a key'),
    (b"  ? *a\n  : b\n", ':12:5: spec[""]: found an alias as a key'),
]


@pytest.mark.parametrize(("addition", "said"), PLACES)
def test_a_problem_points_at_its_line_and_column(addition, said):
    assert any(line.startswith("run.yaml" + said) for line in said_about(VALID + addition)), said_about(
        VALID + addition
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: [1", "run.yaml:2:1: found a YAML syntax error (did not find expected ',' or ']')"),
        (b"a: b: c", "run.yaml:1:5: found a YAML syntax error (mapping values are not allowed"),
        (b"a:\n\t- b", "run.yaml:2:1: found a YAML syntax error (found character that cannot start any "
         "token), allowed: YAML indented by spaces, not by tabs"),
        (b"a: \x07", "run.yaml: found a control character"),
        (b"a: 1\nb: \xff", "run.yaml:2:4: found bytes that are not UTF-8, allowed: UTF-8 text"),
        (b"- 1", "run.yaml:1:1: document: found a list of 1 entry"),
        (b"x: 1", "run.yaml:1:1: apiVersion: found nothing"),
        (b" " * (2**20 + 1), "run.yaml: found more than 1 MiB"),
    ],
)  # fmt: skip
def test_text_that_is_no_run_is_one_sentence_with_a_place(text, said):
    assert said_about(text)[0].startswith(said)


def test_runs_before_a_mistake_in_the_yaml_are_still_read():
    reading = read_text("run.yaml", VALID + b"---\na: [")
    assert [loaded.run.metadata.name for loaded in reading.runs] == ["mnist"]
    assert len(reading.problems) == 1


def test_files_without_a_run_or_that_cannot_be_read_are_problems(tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text("kind: Secret\n")
    (problem,) = read_files([str(other)]).problems
    assert str(problem) == (
        f"{other}: there is no TrainingRun; expected "
        "a document with apiVersion trainingrun.dev/v1beta1 and kind TrainingRun"
    )
    allowed = "allowed: a file or folder to read, or - for standard input"
    (tmp_path / "empty").mkdir()
    said = [str(problem) for problem in read_files([str(tmp_path / "gone"), str(tmp_path / "empty"), "a\0b"]).problems]
    assert said == [
        f"{tmp_path / 'gone'}: there is no such file or directory; expected a file or folder to read, or - for "
        "standard input",
        f"{tmp_path / 'empty'}: found a folder without files that end in .yaml, .yml, .json, "
        "allowed: a folder with such files",
        f"a\0b: found a path that cannot be opened, {allowed}",
    ]


def alias_bomb() -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    return VALID + b"  recipe2:\n    " + "\n    ".join(lines).encode() + b"\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"[" * 200_000, "nesting that is too deep"),
        (b"- " * 200_000, "nesting that is too deep"),
        (b"a: " + b"{x: " * 100_000, "nesting that is too deep"),
        (b"[" + b"1," * 400_000 + b"]", "more than 50,000 values and keys"),
        (alias_bomb(), "more than 20,000 values"),
    ],
    ids=["lists", "blocks", "mappings", "values", "aliases"],
)
def test_hostile_text_is_refused_without_memory_or_time(text, found):
    start = time.process_time()
    assert any(f"found {found}" in line for line in said_about(text))
    assert time.process_time() - start < 2


SCALARS = [
    ("1", 1), ("-3", -3), ("+5", 5), ("0", 0), ("017", 15), ("0o17", 15), ("0x1F", 31), ("0b11", 3),
    ("1_000", 1000),
    ("1e-3", 0.001), ("1.5", 1.5), (".5", 0.5), ("1e3", 1000), ("4.0", 4), ("-0.0", 0),
    ("1e19", 1e19), ("-.inf", float("-inf")), ("9" * 30, 1e30),
    ("true", True), ("No", False), ("on", True), ("null", None), ("~", None), ("", None),
    ("2026-01-01", "2026-01-01"), ("12:30:45", "12:30:45"), ("1.2.3", "1.2.3"), ("16Gi", "16Gi"), ("y", "y"),
    ("0x", "0x"),
    ("-", "-"), ("1e", "1e"), ("=", "="),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_plain_words_mean_what_they_mean_to_kubectl(text, value):
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


@pytest.mark.parametrize(
    ("tag", "text", "value"), [("str", "3", "3"), ("int", "3", 3), ("float", "3", 3), ("bool", "yes", True)]
)
def test_known_tags_are_followed(tag, text, value):
    assert tagged_scalar(f"tag:yaml.org,2002:{tag}", text) == value


@pytest.mark.parametrize(
    ("tag", "text"), [("int", "x"), ("binary", "aGk="), ("timestamp", "2026-01-01"), ("bool", "1")]
)
def test_tags_that_json_has_no_value_for_are_refused(tag, text):
    with pytest.raises(ValueError, match=tag):
        tagged_scalar(f"tag:yaml.org,2002:{tag}", text)


def test_aliases_of_complete_values_are_followed():
    text = VALID + b"  trainer: {env: &e [{name: A, value: b}]}\n  data: {env: *e}\n"
    (loaded,) = read_text("run.yaml", text).runs
    assert loaded.run.spec.data.env == loaded.run.spec.trainer.env
    assert Path(loaded.source).name == "run.yaml"


def test_a_folder_is_read_file_by_file_and_a_kustomization_is_not(tmp_path):
    for name in ("b.yaml", "a.json", "notes.txt"):
        (tmp_path / name).write_text("kind: Secret")
    (tmp_path / "deeper.yaml").mkdir()
    assert [other.source for other in read_files([str(tmp_path)]).others] == [
        str(tmp_path / "a.json"),
        str(tmp_path / "b.yaml"),
    ]
    (tmp_path / "kustomization.yaml").write_text("resources: [b.yaml]")
    (problem,) = read_files([str(tmp_path)]).problems
    assert f"`kubectl kustomize {tmp_path}`" in str(problem)


def test_an_address_is_read_like_a_file(tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Served) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (other,) = read_files([f"{address}/there"]).others
        (problem,) = read_files([f"{address}/gone"]).problems
        server.shutdown()
    assert (other.source, other.document) == (f"{address}/there", {"kind": "Secret"})
    assert "HTTP Error 404: Not Found" in str(problem)


class _Served(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/there" else 404)
        self.end_headers()
        self.wfile.write(b"kind: Secret")

    def log_message(self, *arguments):
        """Nothing of interest."""
