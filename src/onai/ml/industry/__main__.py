"""`python -m onai.ml.industry train|evaluate|predict|explain`: the model without the command line.

Text in, JSON lines out: `predict` and `explain` read one text a line from their arguments, a file or stdin. It is
what a container or a cluster step calls. Exit codes: 0 done, 1 the model cannot be read, 2 bad options or data.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from onai.ml.data import Dataset, load_companies, split_by_code
from onai.ml.data.uksic import build_taxonomy
from onai.ml.errors import ArtifactError, DataError, MLError
from onai.ml.industry.classifier import IndustryClassifier


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    options = _parser().parse_args(argv)
    try:
        for line in options.run(options):
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    except MLError as error:
        sys.stderr.write(f"error: {error.message}\n{error.hint}".rstrip() + "\n")
        return 1 if isinstance(error, ArtifactError) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `... | head` is a fine way to use it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m onai.ml.industry", description="Classify texts by industry.")
    commands = parser.add_subparsers(dest="command", required=True)

    train = commands.add_parser("train", help="train a model, report its accuracy on held-out rows, save it")
    train.add_argument("--model", type=Path, required=True, metavar="FOLDER")
    _add_table(train)
    train.add_argument("--epochs", type=int)
    train.add_argument("--seed", type=int)
    train.add_argument("--test-share", type=float, default=0.2, help="rows held out for the report (default 0.2)")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser("evaluate", help="report the accuracy of a model on a labelled csv")
    evaluate.add_argument("--model", type=Path, required=True, metavar="FOLDER")
    _add_table(evaluate)
    evaluate.set_defaults(run=_evaluate)

    for name, run, text in (
        ("predict", _predict, "print the most probable codes of each text"),
        ("explain", _explain, "print why each text gets its code"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--model", type=Path, required=True, metavar="FOLDER")
        command.add_argument("--input", type=Path, metavar="FILE", help="default: stdin")
        command.add_argument("--top", type=int, default=5, help="codes or reasons a text (default 5)")
        if name == "predict":
            command.add_argument("--level", help="answer at this level, such as division")
        command.add_argument("texts", nargs="*", metavar="TEXT", help="default: the lines of --input")
        command.set_defaults(run=run)
    return parser


def _add_table(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, metavar="CSV", help="default: the UK SIC index, else the sample")
    command.add_argument("--text-column", default="activity")
    command.add_argument("--code-column", default="sic2007")


def _train(options: argparse.Namespace) -> Iterable[dict[str, object]]:
    data = _dataset(options)
    split = split_by_code(data.codes, test_share=options.test_share)
    model = IndustryClassifier(taxonomy=data.taxonomy)
    model.set_params(**{name: value for name in ("epochs", "seed") if (value := getattr(options, name)) is not None})

    def show(epoch: int, loss: float) -> None:
        sys.stderr.write(f"epoch {epoch}: loss {loss:.4f}\n")

    model.fit(*_rows(data, split.train.tolist()), callback=show)
    report = model.evaluate(*_rows(data, split.test.tolist())) if len(split.test) else None
    model_id = model.save(options.model, metrics=report)
    yield {
        "model": str(options.model),
        "id": model_id,
        "source": data.source,
        "attribution": data.attribution,
        "report": report.to_dict() if report else None,
    }


def _evaluate(options: argparse.Namespace) -> Iterable[dict[str, object]]:
    model = IndustryClassifier.load(options.model)
    data = _dataset(options)
    yield {"source": data.source, **model.evaluate(list(data.texts), list(data.codes)).to_dict()}


def _predict(options: argparse.Namespace) -> Iterable[dict[str, object]]:
    model = IndustryClassifier.load(options.model)
    for block in _blocks(options):
        for text, found in zip(block, model.predict_top(block, options.top, options.level), strict=True):
            codes = [{"code": c, "probability": p, "title": model.taxonomy_.best_title(c)} for c, p in found]
            yield {"text": text, "code": found[0][0], "probability": found[0][1], "top": codes}


def _explain(options: argparse.Namespace) -> Iterable[dict[str, object]]:
    model = IndustryClassifier.load(options.model)
    for block in _blocks(options):
        for text in block:
            found = model.explain(text)
            yield replace(found, ngrams=found.ngrams[: options.top]).to_dict()


def _rows(data: Dataset, rows: list[int]) -> tuple[list[str], list[str]]:
    return [data.texts[row] for row in rows], [data.codes[row] for row in rows]


def _dataset(options: argparse.Namespace) -> Dataset:
    if options.data is None:
        return load_companies()
    try:
        with open(options.data, newline="", encoding="utf-8-sig") as source:
            rows = list(csv.DictReader(source))
        texts = tuple(row[options.text_column] or "" for row in rows)
        codes = tuple(row[options.code_column] or "" for row in rows)
    except KeyError as error:
        raise DataError(f"{options.data} has no column {error}", "Name them: --text-column, --code-column.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{options.data} cannot be read: {error}", "Give a csv file in UTF-8.") from None
    return Dataset(texts, codes, build_taxonomy(codes), str(options.data), "")


def _blocks(options: argparse.Namespace, size: int = 512) -> Iterable[list[str]]:
    """Yield texts in blocks: fast for a file, and a pipe gets its answers before it ends."""
    block: list[str] = []
    for text in options.texts or _lines(options.input):
        block.append(text.rstrip("\r\n"))
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block


def _lines(path: Path | None) -> Iterable[str]:
    if path is None:
        yield from sys.stdin
        return
    try:
        with open(path, encoding="utf-8") as source:
            yield from source
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}", "Give a text file in UTF-8, one text a line.") from None


if __name__ == "__main__":
    sys.exit(main())
