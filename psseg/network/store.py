"""Trained networks on disk: one folder each, checked on loading.

A model folder holds ``network.keras`` (the network), ``survey.toml`` (what it was trained for),
``model.json`` (name, checksums, settings, calibration), ``card.md`` (for people) and
``scores.json``. All of it is data: nothing is unpickled, and Keras's safe mode stays on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from psseg import __version__
from psseg.errors import PssegError, PssegWarning
from psseg.network.quiet import start_keras
from psseg.survey.schema import read_table
from psseg.survey.survey import AnySurvey, parse_survey

if TYPE_CHECKING:
    import keras

__all__ = [
    "Calibration",
    "Model",
    "ModelInfo",
    "find_model",
    "list_models",
    "load_model",
    "save_model",
    "update_calibration",
]

CHECKED_FILES = ("network.keras", "survey.toml")


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What turns the network's output into probabilities, measured on simulated skies.

    Parameters
    ----------
    source_coefficients : tuple of float
        Of :func:`psseg.catalogue.probability.source_probability`.
    low_latitude_coefficients : tuple of float
        The same below `latitude_split`; empty where they do not differ.
    candidate_threshold : float
        Score from which pixels become a candidate.
    thresholds : dict
        Source probability a detection needs: "low_latitude" and "high_latitude".
    latitude_split : float
        Where the one ends and the other begins, |b| in deg.
    temperature : float
        Divides the logarithms of the class likelihoods.
    class_bias : tuple of float
        Added to them, in the order of the source classes.
    position_scale, position_floor : float
        Factor on the fitted position errors, and what is added in quadrature, deg; in radio
        images, beams.
    residual_limit : tuple of float
        Largest mean squared residual of a source-free pixel that training skies show, per band;
        empty where not measured.
    image_range : tuple of (float, float)
        Least and largest value of each of `psseg.likeness.IMAGE_STATISTICS` that training images
        show, and a margin; empty where not measured.
    measured_weights : tuple of float
        Of :func:`psseg.catalogue.probability.combined_classes`, for radio images of several planes;
        empty where the network alone says the class.
    flux_scale, flux_floor : float
        Factor on the errors of fluxes, and the share of the flux that is added in quadrature.
    resolved_flux_floor : float
        Another such share, of the fluxes of radio sources larger than the beam.
    low_latitude_errors : tuple of float
        `errors` below `latitude_split`; empty where they do not differ.
    """

    source_coefficients: tuple[float, ...]
    candidate_threshold: float
    thresholds: dict[str, float]
    latitude_split: float
    temperature: float
    class_bias: tuple[float, ...]
    position_scale: float
    position_floor: float
    low_latitude_coefficients: tuple[float, ...] = ()
    residual_limit: tuple[float, ...] = ()
    image_range: tuple[tuple[float, float], ...] = ()
    measured_weights: tuple[float, ...] = ()
    flux_scale: float = 1.0
    flux_floor: float = 0.0
    resolved_flux_floor: float = 0.0
    low_latitude_errors: tuple[float, ...] = ()

    @property
    def errors(self) -> tuple[float, ...]:
        """Scale and floor of positions, and of fluxes."""
        return self.position_scale, self.position_floor, self.flux_scale, self.flux_floor

    def to_dict(self) -> dict[str, Any]:
        """Give plain numbers, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Calibration:
        """Make a calibration from what :meth:`to_dict` gave."""
        return read_table(cls, table, "calibration")


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model folder, without its network.

    Parameters
    ----------
    name, title : str
        Name of the model, and its survey's line for people.
    kind : str
        "counts" or "continuum": which maps it is for.
    folder : pathlib.Path
    """

    name: str
    title: str
    kind: str
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained network with all that is needed to use it.

    Parameters
    ----------
    network : keras.Model
    survey : Survey or ContinuumSurvey
    name : str
    sha256 : str
        Checksum of ``network.keras``.
    calibration : Calibration
    folder : pathlib.Path
    """

    network: keras.Model
    survey: AnySurvey
    name: str
    sha256: str
    calibration: Calibration
    folder: Path


def shipped_models() -> Path:
    """Folder of the models that come with psseg: in the package, or in a checkout beside it."""
    package = Path(str(resources.files("psseg"))) / "models"
    return package if package.is_dir() else package.parents[1] / "models"


def list_models() -> list[ModelInfo]:
    """Give the models that come with psseg, by name."""
    return [find_model(shipped_models() / name) for name in _shipped_names()]


def find_model(name: str | Path) -> ModelInfo:
    """Find a model by its name or folder, without loading its network.

    Parameters
    ----------
    name : str or pathlib.Path
        A name of :func:`list_models`, or a folder: every Path, and what holds a ``/``.

    Returns
    -------
    ModelInfo

    Raises
    ------
    PssegError
        If there is no such model.

    Warns
    -----
    PssegWarning
        If a folder here holds a model, too, and has the name of one that comes with psseg.
    """
    folder = _model_folder(name)
    if not (folder / "model.json").is_file():
        names = ", ".join(_shipped_names()) or "none"
        raise PssegError(f"no model {str(name)!r}: want one of {names}, or a model folder")
    survey = _read_survey(folder)
    own_name = _read_record(folder)["name"]
    return ModelInfo(name=own_name, title=survey.title, kind=survey.kind, folder=folder)


def _shipped_names() -> list[str]:
    """Folders of the models that come with psseg."""
    return sorted(path.parent.name for path in shipped_models().glob("*/model.json"))


def _model_folder(name: str | Path) -> Path:
    """Give the folder of a model that comes with psseg, or the folder that is named."""
    folder = Path(name)
    if isinstance(name, Path) or name not in _shipped_names():
        return folder
    shipped = shipped_models() / name
    if (folder / "model.json").is_file() and not folder.samefile(shipped):
        warnings.warn(
            f"the model {name!r} is the one that comes with psseg, not the folder {name} here; "
            f"write ./{name} for that",
            PssegWarning,
            stacklevel=3,
        )
    return shipped


def load_model(name: str | Path) -> Model:
    """Load a model.

    Parameters
    ----------
    name : str or pathlib.Path
        As for :func:`find_model`.

    Returns
    -------
    Model

    Raises
    ------
    PssegError
        If there is no such model, or a file is not the one its checksum was taken of.
    """
    folder = find_model(name).folder
    record = _read_record(folder)
    for file in CHECKED_FILES:
        if _sha256(folder / file) != record["sha256"].get(file):
            raise PssegError(
                f"{folder / file}: checksum does not match model.json; the file was changed or "
                "damaged: install the model anew"
            )
    start_keras()
    import keras

    return Model(
        network=keras.saving.load_model(folder / "network.keras", compile=False, safe_mode=True),
        survey=_read_survey(folder),
        name=record["name"],
        sha256=record["sha256"]["network.keras"],
        calibration=Calibration.from_dict(record["calibration"]),
        folder=folder,
    )


def save_model(
    network: keras.Model,
    survey: AnySurvey,
    folder: Path,
    *,
    name: str,
    calibration: Calibration,
    training: Mapping[str, Any],
) -> None:
    """Write a model folder, weights rounded to half precision.

    Parameters
    ----------
    network : keras.Model
        Left as it is; its optimizer, if any, is not written.
    survey : Survey or ContinuumSurvey
    folder : pathlib.Path
        Made where needed; what it holds of a model is replaced, but for a ``card.md``.
    name : str
    calibration : Calibration
    training : mapping
        Settings, seed, versions, wall time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_network(network, folder / "network.keras")
    (folder / "survey.toml").write_text(survey.text, "utf-8")
    record = {
        "name": name,
        "psseg": __version__,
        "sha256": {file: _sha256(folder / file) for file in CHECKED_FILES},
        "training": dict(training),
        "calibration": calibration.to_dict(),
    }
    _write_record(folder, record)
    if not (folder / "card.md").exists():
        (folder / "card.md").write_text(_card(name, survey, training), "utf-8")


def _card(name: str, survey: AnySurvey, training: Mapping[str, Any]) -> str:
    """Say what a network tells of itself; its maker should say more."""
    settings = training.get("settings", {})
    lines = [f"# {name}", "", f"A network for: {survey.title}.", ""]
    lines += [f"- {key}: {value}" for key, value in settings.items()]
    lines += ["", "How well it does: `psseg evaluate --model` and this folder.", ""]
    return "\n".join(lines)


def update_calibration(model: Model, calibration: Calibration) -> Model:
    """Write a new calibration into a model's folder.

    Parameters
    ----------
    model : Model
    calibration : Calibration

    Returns
    -------
    Model
        The model with it.
    """
    record = _read_record(model.folder)
    _write_record(model.folder, record | {"calibration": calibration.to_dict()})
    return replace(model, calibration=calibration)


def _write_network(network: keras.Model, path: Path) -> None:
    """Write a Keras file whose weights are rounded to half precision, then deflated.

    Rounded weights stay float32 in the file, so any Keras loads it; their zero bits pack to
    about half.
    """
    import keras

    rounded = keras.Model.from_config(network.get_config())  # a clone would be compiled again
    rounded.set_weights([_rounded(weights) for weights in network.get_weights()])
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        plain, packed = Path(scratch) / "plain.keras", Path(scratch) / "packed.keras"
        rounded.save(plain)
        _deflate(plain, packed)
        shutil.move(packed, path)


def _rounded(weights: np.ndarray) -> np.ndarray:
    return weights.astype(np.float16).astype(np.float32)


def _deflate(plain: Path, packed: Path) -> None:
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target,
    ):
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED, 9)


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError as error:
        raise PssegError(f"{path}: missing; install the model anew") from error


def _read_survey(folder: Path) -> AnySurvey:
    path = folder / "survey.toml"
    try:
        return parse_survey(path.read_text("utf-8"), where=str(path))
    except FileNotFoundError as error:
        raise PssegError(f"{path}: missing; install the model anew") from error


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / "model.json"
    try:
        record = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise PssegError(f"{path}: not JSON: {error}") from error
    for key in ("name", "sha256", "calibration"):
        if key not in record:
            raise PssegError(f"{path}: {key!r} is missing; install the model anew")
    return record


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    scratch = folder / ".model.json"
    scratch.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    scratch.replace(folder / "model.json")
