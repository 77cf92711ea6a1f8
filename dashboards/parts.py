"""Building blocks of the dashboards: panels, variables, annotations. Independent of the metrics."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common, heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import common as model_common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as model_prometheus

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
SECONDS, PER_SECOND, PERCENT, RATIO, COUNT, BYTES, CORES = "s", "ops", "percentunit", "none", "short", "bytes", "none"
BYTES_PER_SECOND = "binBps"
"""Grafana's names of units. A ratio and a number of cores have none."""
EVERYTHING = model.VariableOption(selected=True, text="All", value="$__all")
POD = "{{pod}} {{instance}}"
"""Legend of lines that are one process each."""
QUARTER, THIRD, HALF, FULL = 6, 8, 12, 24
"""Widths of panels, in Grafana's columns."""
HEIGHT = 8


class Query(NamedTuple):
    """One expression and the legend of its lines."""

    expr: str
    legend: str


class About(NamedTuple):
    """The texts of a panel: title, description, unit."""

    title: str
    text: str
    unit: str


def lines(about: About, queries: Sequence[Query], width: int = HALF, at_most: float | None = None) -> Any:
    """A panel of lines over time."""
    legend = common.VizLegendOptions().show_legend(True).placement(model_common.LegendPlacement.BOTTOM)
    legend.display_mode(model_common.LegendDisplayMode.TABLE).calcs(["mean", "max"])
    panel = timeseries.Panel().legend(legend).min(0).fill_opacity(5).span_nulls(False).line_width(2)
    panel.tooltip(common.VizTooltipOptions().mode(model_common.TooltipDisplayMode.MULTI))
    if at_most is not None:
        panel.max(at_most)
    return _dressed(panel, about, width, [_target(number, query).range() for number, query in enumerate(queries)])


def numbers(about: About, query: Query, width: int = QUARTER) -> Any:
    """A panel with one named number per line of the query, for the whole range."""
    panel = stat.Panel().graph_mode(model_common.BigValueGraphMode.NONE).decimals(2)
    panel.color_mode(model_common.BigValueColorMode.NONE).text_mode(model_common.BigValueTextMode.VALUE_AND_NAME)
    return _dressed(panel, about, width, [_target(0, query).instant()])


def heat_maps(about: About, query: Query, each: str, width: int = HALF) -> Any:
    """A heatmap for each value of a variable, side by side."""
    panel = heatmap.Panel().calculate(False).show_legend().cell_gap(0)
    panel.y_axis(heatmap.YAxisConfig().unit(about.unit))
    panel.repeat(each).repeat_direction("h").max_per_row(FULL // width)
    target = _target(0, query).range().format(model_prometheus.PromQueryFormat.HEATMAP)
    return _dressed(panel, about, width, [target])


def stacks(about: About, query: Query, each: str, width: int = HALF) -> Any:
    """Stacked areas over time for each value of a variable, side by side."""
    legend = common.VizLegendOptions().show_legend(True).placement(model_common.LegendPlacement.BOTTOM)
    legend.display_mode(model_common.LegendDisplayMode.TABLE).calcs(["mean"])
    panel = timeseries.Panel().legend(legend).min(0).fill_opacity(70).span_nulls(False).line_width(1)
    panel.stacking(common.StackingConfig().mode(model_common.StackingMode.NORMAL).group("A"))
    panel.tooltip(common.VizTooltipOptions().mode(model_common.TooltipDisplayMode.MULTI))
    panel.repeat(each).repeat_direction("h").max_per_row(FULL // width)
    return _dressed(panel, about, width, [_target(0, query).range()])


def _target(number_of_query: int, query: Query) -> Any:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).datasource(SOURCE)
    return target.ref_id(chr(ord("A") + number_of_query))


def _dressed(panel: Any, about: About, width: int, targets: Sequence[Any]) -> Any:
    panel.title(about.title).description(about.text).unit(about.unit).datasource(SOURCE)
    panel.span(width).height(HEIGHT).targets(list(targets))
    return panel


def row(title: str) -> Any:
    """A headline between panels."""
    return build.Row(title)


def source() -> Any:
    """The variable that selects the Prometheus."""
    return build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")


def choice(name: str, label: str, text: str, values: str) -> Any:
    """A variable with the values of a query; default: all."""
    variable = _variable(name, label, text, values).sort(model.VariableSort.ALPHABETICAL_DESC)
    return variable.include_all(True).all_value(".*").multi(False).current(EVERYTHING)


def choices(name: str, label: str, text: str, values: str) -> Any:
    """The same with multiple selection."""
    return choice(name, label, text, values).sort(model.VariableSort.ALPHABETICAL_ASC).multi(True)


def first_of(name: str, label: str, text: str, series: str, taken: str) -> Any:
    """A variable with the values of the label `taken`, in the order of the query; default: the first."""
    variable = _variable(name, label, text, series).sort(model.VariableSort.DISABLED)
    return variable.regex(f'/\\{{{taken}="(.*)"\\}}/').include_all(False).multi(False)


def _variable(name: str, label: str, text: str, values: str) -> Any:
    variable = build.QueryVariable(name).label(label).description(text).query(values).datasource(SOURCE)
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)


class Marks:
    """Annotations: a region for as long as the query's series exist."""

    def __init__(self, name: str, expr: str, title: str) -> None:
        self._query = _MarksModel(name=name, datasource=SOURCE, icon_color="blue")
        self._query.prometheus = {
            "target": {"refId": "Anno", "expr": expr},
            "titleFormat": title,
            "textFormat": "run {{run_id}}",
            "tagKeys": "variant,mode",
            "step": "5s",
        }

    def build(self) -> model.AnnotationQuery:
        """The annotation in the form of the dashboard."""
        return self._query


class _MarksModel(model.AnnotationQuery):
    """The SDK's model lacks the fields of Prometheus's annotations."""

    prometheus: dict[str, object]

    def to_json(self) -> dict[str, object]:
        return super().to_json() | self.prometheus


def new_dashboard(name: str, title: str, text: str) -> Any:
    """An empty dashboard with the data source as its first variable."""
    dashboard = build.Dashboard(title).uid(f"loadgen-{name}").description(text).tags(["milvus-loadgen"])
    dashboard.time("now-15m", "now").refresh("10s").timezone("browser").editable()
    dashboard.tooltip(model.DashboardCursorSync.CROSSHAIR)
    others = build.DashboardLink("milvus-loadgen").type(model.DashboardLinkType.DASHBOARDS).tags(["milvus-loadgen"])
    return dashboard.link(others.keep_time(True).include_vars(True)).with_variable(source())


def fill(dashboard: Any, marks: Any, variables: Iterable[Any], panels: Iterable[Any]) -> Any:
    """The dashboard with its annotations, variables and panels, in order; panels are numbered from 1."""
    dashboard.annotation(marks)
    for variable in variables:
        dashboard.with_variable(variable)
    for place, panel in enumerate(panels, 1):
        add = dashboard.with_row if isinstance(panel, build.Row) else dashboard.with_panel
        add(panel.id(place))
    return dashboard
