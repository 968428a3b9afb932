"""A catalogue as Parquet, for large tables and for programs of data science.

In: a catalogue and its provenance. Out: a Parquet file, a column with a value per band as lists of
fixed length; and such a file read back. What the columns are stands in the file twice: each field
has ``unit``, ``ucd`` and ``description`` in its metadata, and the metadata of the file hold the
header of a VOTable, as the IVOA's Note "Parquet in the VO" (VOParquet 1.0) has it.

Needs pyarrow.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from psseg.catalogue.plain_tables import (
    ColumnText,
    assembled,
    column_texts,
    first_line,
    header_meta,
    plain_values,
)
from psseg.catalogue.votable_format import metadata_votable
from psseg.errors import PssegError

__all__ = ["check_pyarrow", "read_parquet", "write_parquet"]

VERSION_KEY = b"IVOA.VOTable-Parquet.version"
CONTENT_KEY = b"IVOA.VOTable-Parquet.content"
META_KEY = b"psseg"
"""Key of the provenance, as JSON."""


def check_pyarrow() -> None:
    """Raise PssegError where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        raise PssegError("Parquet needs pyarrow, not found here: pip install 'psseg[formats]'")


def write_parquet(path: str | Path, table: QTable, meta: Mapping[str, Any]) -> None:
    """Write a catalogue as Parquet.

    Parameters
    ----------
    path : str or Path
        The file.
    table : QTable
        A catalogue.
    meta : mapping
        Its provenance.

    Raises
    ------
    PssegError
        If pyarrow is not installed.
    """
    check_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    texts = column_texts(table)
    arrays = [_to_arrow(pa, plain_values(table[text.name])) for text in texts]
    fields = [
        pa.field(text.name, array.type, metadata=_field_metadata(text))
        for text, array in zip(texts, arrays, strict=True)
    ]
    header = io.BytesIO()
    metadata_votable(table, meta).to_xml(header)
    kept = {
        VERSION_KEY: b"1.0",
        CONTENT_KEY: header.getvalue(),
        META_KEY: json.dumps(dict(meta), ensure_ascii=False).encode(),
    }
    parquet.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, kept)), path)


def read_parquet(path: str | Path) -> QTable:
    """Read a catalogue that `write_parquet` wrote.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    QTable

    Raises
    ------
    PssegError
        If pyarrow is not installed or the file cannot be read.
    """
    check_pyarrow()
    import pyarrow as pa
    from pyarrow import parquet

    try:
        found = parquet.ParquetFile(path).read()
    except (OSError, pa.ArrowException) as error:
        raise PssegError(f"{path}: cannot be read as Parquet: {first_line(error)}") from error
    values = {name: _from_arrow(pa, found.column(name)) for name in found.column_names}
    meta = json.loads((found.schema.metadata or {}).get(META_KEY, b"{}"))
    return assembled(values, [_text_of(field) for field in found.schema], header_meta(meta))


def _to_arrow(pa: ModuleType, values: NDArray[Any]) -> Any:
    if values.ndim == 1:
        return pa.array(values.tolist() if values.dtype.kind == "U" else values)
    if values.ndim > 2:
        raise PssegError("Parquet: a column has a table in each row; leave it out")
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _from_arrow(pa: ModuleType, column: Any) -> NDArray[Any]:
    array = column.combine_chunks()
    if pa.types.is_fixed_size_list(array.type):
        flat = array.flatten().to_numpy(zero_copy_only=False)
        return flat.reshape(-1, array.type.list_size)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return np.array([word or "" for word in array.to_pylist()], dtype=str)
    return array.to_numpy(zero_copy_only=False)


def _field_metadata(text: ColumnText) -> dict[str, str]:
    words = {"unit": text.unit, "ucd": text.ucd, "description": text.description}
    return {key: word for key, word in words.items() if word}


def _text_of(field: Any) -> ColumnText:
    words = {key.decode(): word.decode() for key, word in (field.metadata or {}).items()}
    return ColumnText(
        name=field.name, **{k: words.get(k, "") for k in ("unit", "ucd", "description")}
    )
