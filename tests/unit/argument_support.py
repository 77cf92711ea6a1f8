"""A parser with loadgen's settings."""

from typing import Any

from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from loadgen.locust_plugin.command_line.arguments import add_arguments


def make_parser(**defaults: object) -> Any:
    parser = get_empty_argument_parser(default_config_files=[])
    setup_parser_arguments(parser)
    add_arguments(parser, defaults)
    return parser
