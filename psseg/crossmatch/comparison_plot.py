"""The figure of a comparison: completeness and purity, offsets, flux ratios and classes.

In: a comparison of two catalogues. Out: a figure of four panels.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from psseg.crossmatch.chance import chance_text
from psseg.crossmatch.comparison import Comparison, flux_bins, share_of
from psseg.survey.classes import CLASS_COLOURS, SOURCE_CLASSES

__all__ = ["comparison_figure"]

INCHES = (10.0, 8.5)
INK = "#0072B2"
SECOND_INK = "#D55E00"
MOST_POINTS = 20_000
"""Pairs that are drawn; more would only be a blot."""


def comparison_figure(comparison: Comparison) -> Figure:
    """Draw how two catalogues compare.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    matplotlib.figure.Figure
        Completeness and purity against flux, offsets, flux ratios, and classes of the pairs.
    """
    figure = Figure(figsize=INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    (shares, offsets), (fluxes, classes) = figure.subplots(2, 2)
    _draw_shares(shares, comparison)
    _draw_offsets(offsets, comparison)
    _draw_fluxes(fluxes, comparison)
    _draw_classes(classes, comparison)
    names = (
        side.label.replace("_", " ").replace("$", "")
        for side in (comparison.left, comparison.right)
    )
    figure.suptitle(" against ".join(names))
    return figure


def _draw_shares(axes: Axes, comparison: Comparison) -> None:
    """Draw completeness against the reference's flux and purity against the catalogue's."""
    for name, common, found, flux, colour, marker in (
        ("completeness (flux of the reference)", comparison.right_common, comparison.right_found,
         comparison.right_flux, INK, "o"),
        ("purity (flux of the catalogue)", comparison.left_common, comparison.left_found,
         comparison.left_flux, SECOND_INK, "s"),
    ):  # fmt: skip
        value, *_, number = share_of(found[common])
        label = f"{name}: {value:.2f} of {number}"
        bins = flux_bins(flux, common)
        if not bins:
            axes.axhline(np.nan_to_num(value), color=colour, linestyle="--", label=label)
            continue
        shares = np.array([share_of(found[rows])[:3] for *_, rows in bins])
        middle = [float(np.median(flux[rows])) for *_, rows in bins]
        error = np.abs(shares[:, 1:] - shares[:, :1]).T
        axes.errorbar(middle, shares[:, 0], error, color=colour, marker=marker, label=label)
        axes.set_xscale("log")
    axes.set(xlabel=_flux_label(comparison), ylabel="share", ylim=(-0.03, 1.03))
    axes.legend(fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), frameon=False)


def _draw_offsets(axes: Axes, comparison: Comparison) -> None:
    east, north = comparison.offsets()
    axes.plot(east[:MOST_POINTS], north[:MOST_POINTS], ".", color=INK, markersize=3, alpha=0.5)
    if len(east):
        half = 1.05 * max(1e-6, float(np.quantile(np.hypot(east, north), 0.98)))
        axes.set(xlim=(half, -half), ylim=(-half, half))
        axes.plot(np.median(east), np.median(north), "+", color=SECOND_INK, markersize=14)
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set(
        xlabel="offset to the east (arcsec)", ylabel="offset to the north (arcsec)", aspect="equal"
    )
    axes.set_title(f"{len(east)} pairs, {chance_text(comparison.n_chance)}", fontsize="medium")


def _draw_fluxes(axes: Axes, comparison: Comparison) -> None:
    ratio = comparison.flux_ratios()
    flux = comparison.right_flux[comparison.pairs.right]
    good = np.flatnonzero(np.isfinite(ratio))[:MOST_POINTS]
    axes.set(xlabel=_flux_label(comparison), ylabel="flux, catalogue over reference")
    if not len(good):
        _say_nothing(axes, "no fluxes that can be compared")
        return
    axes.loglog(flux[good], ratio[good], ".", color=INK, markersize=3, alpha=0.5)
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.axhline(float(np.median(ratio[good])), color=SECOND_INK, linestyle="--")
    axes.set_title(f"median ratio {np.median(ratio[good]):.3g}", fontsize="medium")


def _draw_classes(axes: Axes, comparison: Comparison) -> None:
    """Draw the classes of the pairs, a row per class of the reference."""
    counts = comparison.class_counts()
    axes.set(xlabel="class in the catalogue", ylabel="class in the reference")
    if not counts.sum():
        _say_nothing(axes, "no classes that can be compared")
        return
    shares = counts / np.fmax(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(SOURCE_CLASSES))
    for row in places:
        for place in places:
            ink = "white" if shares[row, place] > 0.6 else "black"
            axes.text(place, row, str(counts[row, place]), color=ink, ha="center", va="center")
    axes.set_xticks(places, SOURCE_CLASSES)
    axes.set_yticks(places, SOURCE_CLASSES)
    for tick, name in zip(axes.get_yticklabels(), SOURCE_CLASSES, strict=True):
        tick.set_bbox({"facecolor": CLASS_COLOURS[name], "alpha": 0.35, "edgecolor": "none"})
    agree = np.trace(counts) / counts.sum()
    axes.set_title(f"classes agree in {100 * agree:.0f} % of {counts.sum()}", fontsize="medium")


def _say_nothing(axes: Axes, why: str) -> None:
    axes.text(0.5, 0.5, why, transform=axes.transAxes, ha="center", va="center", color="0.4")
    axes.set(xticks=[], yticks=[])


def _flux_label(comparison: Comparison) -> str:
    unit = comparison.flux_unit
    return f"flux ({unit})" if unit else "flux"
