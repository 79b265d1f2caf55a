"""Print completions for bash, zsh or fish."""

from __future__ import annotations

import argparse

from dojocc.cli import main as front

EXAMPLE = """\
dojocc completion bash > ~/.local/share/bash-completion/completions/dojocc
dojocc completion fish > ~/.config/fish/completions/dojocc.fish"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def execute(arguments: argparse.Namespace) -> int:
    words = {name: flags(name) for name in front.COMMANDS}
    print({"bash": bash, "zsh": zsh, "fish": fish}[arguments.shell](words))
    return 0


def flags(name: str) -> list[str]:
    """The long flags of a command and the fixed words it takes."""
    parser, _ = front.command_parser(name)
    found: list[str] = []
    for action in parser._actions:  # argparse has no public way to list them
        found += [text for text in action.option_strings if text.startswith("--")]
        if not action.option_strings and action.choices:
            found += [str(choice) for choice in action.choices]
    return found


def bash(words: dict[str, list[str]]) -> str:
    cases = "\n".join(f"    {name}) words={' '.join(list_)!r} ;;" for name, list_ in words.items())
    return f"""\
_dojocc() {{
  local words here=${{COMP_WORDS[COMP_CWORD]}}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W {" ".join(words)!r} -- "$here"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$here") $(compgen -f -- "$here"))
}}
complete -o filenames -F _dojocc dojocc"""


def zsh(words: dict[str, list[str]]) -> str:
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash(words)}"


def fish(words: dict[str, list[str]]) -> str:
    lines = []
    for name, list_ in words.items():
        about = front.COMMANDS[name].replace("'", "")
        lines.append(f"complete -c dojocc -n __fish_use_subcommand -a {name} -d '{about}'")
        for word in list_:
            kind = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
            lines.append(f"complete -c dojocc -n '__fish_seen_subcommand_from {name}' {kind}")
    return "\n".join(lines)
