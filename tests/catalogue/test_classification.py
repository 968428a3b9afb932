"""Classes come from the sure pixels of a segment, and priors multiply them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psseg.catalogue.classification import apply_priors, class_scores
from psseg.catalogue.segment_map import list_segments
from psseg.errors import PssegError


def label_map(source, classes):
    """Class probabilities from the source probability and the shares of the classes."""
    source = np.asarray(source, dtype=float)
    shares = np.reshape(classes, (3, *([1] * source.ndim))) * np.ones_like(source)
    return np.concatenate([[1 - source], source * shares])


@pytest.fixture
def segments():
    data = np.zeros((6, 12), dtype=int)
    data[1:5, 1:5], data[1:5, 7:11] = 1, 2
    return list_segments(data)


def test_each_segment_gets_the_classes_of_its_pixels(segments):
    probabilities = label_map(0.9 * (segments.data > 0), (0.7, 0.2, 0.1))
    probabilities[1:, :, 6:] = probabilities[[2, 3, 1], :, 6:]
    scores = class_scores(probabilities, segments)
    assert scores == pytest.approx(np.array([[0.7, 0.2, 0.1], [0.2, 0.1, 0.7]]))


def test_pixels_on_the_flank_do_not_count(segments):
    source = np.where(segments.data > 0, 0.3, 0.0)
    source[2, 2], source[2, 8] = 0.9, 0.9
    probabilities = label_map(source, (0.1, 0.1, 0.8))
    probabilities[1:, 2, 2] = 0.9 * np.array([0.8, 0.1, 0.1])
    assert class_scores(probabilities, segments)[0] == pytest.approx([0.8, 0.1, 0.1])


def test_blank_pixels_are_left_out(segments):
    probabilities = label_map(0.9 * (segments.data > 0), (0.7, 0.2, 0.1))
    probabilities[:, 1, 1] = np.nan
    assert class_scores(probabilities, segments)[0] == pytest.approx([0.7, 0.2, 0.1])


def test_no_segment_gives_no_row():
    nothing = list_segments(np.zeros((6, 12), dtype=int))
    assert class_scores(np.zeros((4, 6, 12)), nothing).shape == (0, 3)


@given(
    st.lists(st.floats(0.01, 1), min_size=3, max_size=3),
    st.lists(st.floats(0, 1e6), min_size=3, max_size=3),
)
def test_priors_give_probabilities(likelihoods, priors):
    result = apply_priors([likelihoods], priors)
    expected = np.array(likelihoods) * priors if any(priors) else np.array(likelihoods)
    assert result[0] * expected.sum() == pytest.approx(expected, rel=1e-6) or not any(priors)
    assert np.all(result >= 0)


def test_even_priors_change_nothing():
    assert apply_priors([[0.2, 0.3, 0.5]], [4, 4, 4])[0] == pytest.approx([0.2, 0.3, 0.5])


def test_where_no_class_is_possible_the_likelihoods_stay():
    assert apply_priors([[0.0, 0.4, 0.6]], [1, 0, 0]).tolist() == [[0.0, 0.4, 0.6]]


def test_wrong_arguments_are_named(segments):
    with pytest.raises(PssegError, match="priors: want finite numbers, not negative"):
        apply_priors([[0.2, 0.3, 0.5]], [1, -1, 0])
    with pytest.raises(PssegError, match=r"class_probabilities: want shape \(4, 6, 12\)"):
        class_scores(np.zeros((3, 6, 12)), segments)
