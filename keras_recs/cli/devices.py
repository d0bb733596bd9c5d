"""`keras-recs devices`: what training will use."""

from __future__ import annotations

import click

from keras_recs.terminal.tables import AS_JSON, console, print_json, table


@click.command("devices")
@AS_JSON
def command(as_json: bool) -> None:
    """What TensorFlow found and training will use."""
    from keras_recs.neural import device_report

    report = device_report()
    if as_json:
        print_json(report.as_dict())
        return
    out = table("", "")
    out.show_header = False
    built = "with" if report.built_with_gpu else "without"
    out.add_row("TensorFlow", f"{report.tensorflow}, built {built} GPU support")
    out.add_row("GPUs", ", ".join(report.gpus) or "none")
    out.add_row("CPUs", ", ".join(report.cpus))
    out.add_row("training uses", report.strategy)
    out.add_row("precision", report.precision)
    out.columns[0].no_wrap = True
    console().print(out)
