"""The help of `loadgen run NAME`: the tool's settings and Locust's own flags. `locust --help` reads no locustfile."""

from locust.argument_parser import get_parser

from loadgen.locust_plugin.command_line.arguments import add_arguments

EXAMPLES = """\
Examples:

    {program} --headless --host http://my-milvus:19530 --concurrency 1,8,32
    {program} --headless --dry-run

Without --headless, Locust's page is served at http://localhost:8089. `loadgen settings` lists the settings with their
defaults. Each is also a variable LOADGEN_<NAME>, a key of the config file and a field of the page."""


def show_help(program: str, title: str) -> None:
    """Print it. `program` is what was typed, such as `loadgen run search`."""
    parser = get_parser(default_config_files=[])
    add_arguments(parser, {})
    parser.description = (
        f"{title}\n\nUsage: {program} [options] [UserClass ...]\n\n"
        "Below are Locust's common options, the settings of milvus-loadgen, and Locust's other options."
    )
    parser.epilog = EXAMPLES.format(program=program)
    parser.print_help()
