"""The command `osteoxr`: one sub-command for each thing that a config does, with the options that the config declares."""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from scripts.apps import endings
from scripts.apps.log_lines import log_lines
from scripts.apps.options import CONFIGS, Command, MistypedError, Option, did_you_mean, nearest, read_command, read_commands

PLACES: Final = ("folder", "file", "path")
"""The types of options whose values are places."""

_TRACKED: Final = CONFIGS / "mlflow.yaml"
_CODES: Final = (
    "Exit codes: 0 done; 1 data, weights or disk are not as they must be; 2 mistyped, and nothing was run; 70 a fault of the "
    "software; 130 stopped by Ctrl-C."
)


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run a command, and end with its exit code (see `endings`) and, unless all went well, one sentence.

    Args:
        words: the command line without the program; that of this process if None.
    """
    words = list(sys.argv[1:] if words is None else words)
    as_json = any(word == "--log=json" or words[index : index + 2] == ["--log", "json"] for index, word in enumerate(words))
    log: AbstractContextManager[dict[str, str]] = log_lines() if as_json else nullcontext({})
    with log as hidden:
        code, sentence = _outcome(words, hidden)
        if sentence:
            hidden |= _typed_places(words)
            print(sentence, file=sys.stderr, flush=True)
    sys.exit(code)


def _outcome(words: Sequence[str], hidden: dict[str, str]) -> tuple[int, str]:
    """Run a command; return its exit code and its last sentence, if it ended otherwise than well.

    Args:
        words: of the command line.
        hidden: gets the places that a JSON log does not tell of.
    """
    try:
        commands = _Commands(read_commands())
        ended = commands.main(list(words), prog_name="osteoxr", standalone_mode=False, obj=hidden)
        return (ended if isinstance(ended, int) else endings.DONE), ""
    except click.ClickException as error:
        said = error.format_message().rstrip(".")
        return endings.MISTYPED, f"{said}{'' if said.endswith('?') else '.'} Nothing was run."
    except click.Abort:
        return endings.ended(KeyboardInterrupt())
    except BaseException as error:
        return endings.ended(error)


class _Commands(click.Group):
    """The sub-commands, made from what the configs declare.

    Args:
        commands: by name; "train bmd" is a sub-command of "train".
    """

    def __init__(self, commands: Mapping[str, Command], **settings: Any) -> None:
        super().__init__(
            no_args_is_help=True, context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 110}, **settings
        )
        if not self.name:
            self.help = f"Hip radiographs in, estimated bone density out. Research use only.\n\n{_CODES}"
            self.params.append(click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version))
        for name, command in commands.items():
            group, _, rest = name.partition(" ")
            if not rest:
                self.add_command(_RunConfig(command), group)
            elif group not in self.commands:
                inside = {other.partition(" ")[2]: each for other, each in commands.items() if other.startswith(f"{group} ")}
                self.add_command(_Commands(inside, name=group, help=f"One of: {', '.join(inside)}."), group)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line up to the sub-command.

        Raises:
            MistypedError: where an option stands before it that belongs behind it.
        """
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise MistypedError(
                f"{ctx.command_path} has no option {error.option_name}; options stand behind the command: "
                f"{ctx.command_path} COMMAND ... {error.option_name}. Nothing was run."
            ) from error

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """A sub-command; hyphens and underscores are the same."""
        return super().get_command(ctx, name.replace("_", "-"))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The sub-command of the first word.

        Raises:
            MistypedError: where it is none.
        """
        word = args[0]
        if self.get_command(ctx, word) is None:
            kind = "option" if word.startswith("-") else "command"
            options = [name for option in self.get_params(ctx) for name in option.opts if name.startswith("--")]
            groups = {name: group for name, group in self.commands.items() if isinstance(group, _Commands)}
            inside = [f"{name} {each}" for name, group in groups.items() for each in group.commands]
            close = nearest(word, [*self.commands, *inside, *options])
            meant = did_you_mean(word, [close] if close else self.commands)
            raise MistypedError(f"{ctx.command_path} has no {kind} {word!r}{meant} Nothing was run.")
        return super().resolve_command(ctx, args)


class _RunConfig(click.Command):
    """One sub-command."""

    def __init__(self, command: Command) -> None:
        self.config = command
        places: list[click.Parameter] = [
            click.Argument([f"place_{name}"], metavar=word, required=False) for name, word in command.takes.items()
        ]
        options = [_option(option) for option in command.options.values()]
        super().__init__(
            command.name, help=_paragraphs(command.about), params=[*places, *options, *_common(command)], callback=self._run,
            short_help=command.about.split(". ")[0].split(": ")[0].replace("\n", " "),
        )  # fmt: skip

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line.

        Raises:
            MistypedError: where a word is no option, lacks its value, or is one too many.
        """
        args = [_with_underscores(arg) for arg in args]
        usage = " ".join([ctx.command_path, *self.config.takes.values()])
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            known = [name.removeprefix("--") for option in self.params for name in option.opts if name.startswith("--")]
            unset = error.option_name.removeprefix("--no_")
            if re.search("#|::", error.option_name):
                meant = "; what lies deeper in a config is set by a file that --config names."
            elif unset in self.config.options and self.config.options[unset].type == "boolean":
                meant = f"; write --{unset} false."
            else:
                meant = did_you_mean(error.option_name.lstrip("-"), known, "--")
            raise MistypedError(f"{ctx.command_path} has no option {error.option_name}{meant} Nothing was run.") from error
        except click.UsageError as error:
            if "unexpected extra argument" in error.message:
                raise MistypedError(
                    f"{error.message.rstrip('.')}: expected {usage}. A name with spaces stands in quotes. Nothing was run."
                ) from error
            raise

    def _run(self, config: tuple[str, ...], log: str, tracking: str | None = None, **given: Any) -> None:
        if "" in config:
            raise MistypedError("--config is ''; expected a file. Nothing was run.")
        for name in ("tracking_uri", "experiment_name"):
            if (text := given.get(name)) is not None and not (text and tracking):
                found = "is '', expected a text" if not text else "is given without --tracking, which it belongs to"
                raise MistypedError(f"--{name} {found}. Nothing was run.")
        command = read_command([*self.config.files, *map(Path, config)]) if config else self.config
        typed = {name: _texts(given.pop(name)) for name in list(given) if not name.startswith("place_")}
        for name, word in command.takes.items():
            if (place := given.pop(f"place_{name}")) is not None:
                if typed[name]:
                    raise MistypedError(f"{word} is given as {place!r} and by --{name}; expected one of them. Nothing was run.")
                typed[name] = [place]
        typed = {name: texts for name, texts in typed.items() if texts}
        values = command.parse({name: texts for name, texts in typed.items() if name in command.options})
        if missing := command.missing(values):
            word = command.takes.get(missing.name, f"--{missing.name}")
            usage = " ".join(["osteoxr", command.name, *command.takes.values()])
            raise MistypedError(f"{word} is missing ({missing.meaning}): {usage}. Nothing was run.")
        command.keep_apart(values)
        if log == "json":  # whole paths, which can be told from other words
            values = {name: _absolute(command.options[name], value) for name, value in values.items()}
            click.get_current_context().obj |= _shown_places(command, values)
        settings = {name: typed[name][0] for name in ("tracking_uri", "experiment_name") if name in typed}
        _run_config(command, values | settings, {name: texts[-1] for name, texts in typed.items()}, tracking, log)


def _run_config(command: Command, values: Mapping[str, Any], typed: Mapping[str, str], tracking: str | None, log: str) -> None:
    """Run a command's configs as `monai.bundle run` does, with values that stay as they are.

    Raises:
        SystemExit: of code 130 after Ctrl-C; for what else, see `endings`.
    """
    try:
        from monai.bundle import ConfigParser, ConfigWorkflow

        for name in ("workflows", "scripts"):  # what the command line says anyway
            logging.getLogger(f"monai.bundle.{name}").setLevel("ERROR")
        from scripts.apps.cli import HIDDEN, check_packages

        check_packages(command)
        logging_file = False if log == "json" else str(CONFIGS / "logging.conf")
        if log == "json":
            logging.getLogger().setLevel("INFO")
        files = [str(file) for file in command.files]
        workflow = ConfigWorkflow(files, meta_file=str(CONFIGS / "metadata.json"), logging_file=logging_file, workflow_type=None)
        parser = workflow.parser
        told = {"config_files": files, "overrides": {name: text for name, text in typed.items() if name not in HIDDEN}}
        parser.globals["given"] = {**values, **told}
        for name in [*values, *(name for name in told if name in parser)]:
            parser[name] = _stated(name, parser.globals["given"][name])
        if tracking:
            workflow.patch_bundle_tracking(parser, ConfigParser.load_config_file(tracking))
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    except KeyboardInterrupt:
        print(f"\n{endings.stopped(command.resumes)}", file=sys.stderr, flush=True)
        raise SystemExit(endings.STOPPED) from None


def _stated(name: str, value: Any) -> Any:
    """A value as a config can state it: as a text of its own, MONAI would read `#`, `$`, `@` and `%` in it."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return (
        value
        if isinstance(value, str) and re.fullmatch(r"[\w./-][\w ./:,-]*", value) and "::" not in value
        else f"$given[{name!r}]"
    )


def _option(option: Option) -> click.Option:
    default = "" if option.default in (None, []) or str(option.default)[:1] in ("$", "@") else f" [{option.default}]"
    wanted = f"{option.expected()}{', may be repeated' if option.several else ''}"
    flag: dict[str, Any] = {"is_flag": False, "flag_value": "true"} if option.type == "boolean" else {}
    return click.Option(
        [f"--{option.name}"], help=f"{option.help or option.name.replace('_', ' ')}; {wanted}{default}", multiple=True,
        metavar=option.type.upper() if option.type in PLACES else "", **flag,
    )  # fmt: skip


def _common(command: Command) -> list[click.Parameter]:
    """What every command takes."""
    common: list[click.Parameter] = [
        click.Option(["--config"], multiple=True, metavar="FILE", help="YAML laid over the command's own; may be repeated"),
        click.Option(["--log"], type=click.Choice(["text", "json"]), default="text",
                     help="json: a line of JSON for each message, without bars and names; for scheduled runs"),
    ]  # fmt: skip
    if command.name == "evaluate" or command.name == "assemble" or command.name.startswith("train "):
        common += [
            click.Option(["--tracking"], metavar="FILE", callback=_tracking,
                         help=f"mlflow: log to MLflow as the bundle's {_TRACKED.name} says, or as another such FILE"),
            click.Option(["--tracking_uri"], help="MLflow's store; else MLFLOW_TRACKING_URI, or sqlite:///output/mlflow.db"),
            click.Option(["--experiment_name"], help="MLflow's experiment"),
        ]  # fmt: skip
    return common


def _tracking(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value in (None, "mlflow"):
        return str(_TRACKED) if value else None
    read_command([Path(str(value))])
    return value


def _version(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        click.echo(version("osteoxr"))
        ctx.exit()


def _texts(given: Any) -> list[str]:
    return [] if given is None else [given] if isinstance(given, str) else list(given)


def _absolute(option: Option, value: Any) -> Any:
    if option.type not in PLACES or value is None:
        return value
    return [os.path.abspath(each) for each in value] if option.several else os.path.abspath(value)


def _with_underscores(word: str) -> str:
    """An option in the configs' own spelling."""
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return f"--{name[2:].replace('-', '_')}{equals}{value}"


def _paragraphs(about: str) -> str:
    return f"{about}\n\nWhatever else the config holds is set by a file that --config names. {_CODES}"


def _shown_places(command: Command, values: Mapping[str, Any]) -> dict[str, str]:
    """The places among some values, by a name for each."""
    places: dict[str, str] = {}
    for name, value in values.items():
        if command.options[name].type in PLACES and value is not None:
            several = value if isinstance(value, list) else [value]
            places |= {name if len(several) == 1 else f"{name} {index}": each for index, each in enumerate(several, 1)}
    return places


def _typed_places(words: Sequence[str]) -> dict[str, str]:
    """What of a command line may be a place: words by themselves, and values of options that are named after one."""
    places = {}
    commands = read_commands()
    parts = {part for name in commands for part in name.split()}
    named = {name for command in commands.values() for name, option in command.options.items() if option.type in PLACES}
    for index, word in enumerate(words):
        option, equals, value = word.partition("=") if word.startswith("-") else (words[index - 1] if index else "", "=", word)
        name = option.lstrip("-").replace("-", "_")
        if (
            equals
            and word not in parts
            and (not option.startswith("-") or name in {*named, "config", "tracking", "tracking_uri"})
        ):
            places[name if option.startswith("-") else f"place {index}"] = value
    return {name: path for name, path in places.items() if path}


if __name__ == "__main__":
    main()
