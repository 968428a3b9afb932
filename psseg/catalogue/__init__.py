"""From a label map to sources: segments, measurement, tables and regions."""
