from __future__ import annotations

import numpy as np
import pytest
from radio_tables import BEAM, detections_at, field_image, sources_at

from psseg.errors import PssegError
from psseg.evaluation.pairs import assign_in_order
from psseg.evaluation.radio_field import elliptical_distance
from psseg.evaluation.radio_matching import match_radio


def match(detections, truths, **options):
    return match_radio(detections, truths, field_image(), **options)


def test_half_a_beam_is_the_reach_of_a_point_source():
    truths = sources_at([(100, 100), (200, 100)])
    found = match(detections_at([(100 + 0.49 * BEAM, 100), (200 + 0.52 * BEAM, 100)]), truths)
    assert found.detections["MATCHED"].tolist() == [True, False]
    assert found.truths["FOUND"].tolist() == [True, False]
    np.testing.assert_allclose(found.detections["BEAMS_OFF"][0], 0.49, atol=0.01)
    np.testing.assert_allclose(found.detections["SEPARATION"][0].to_value("arcsec"), 4.9, atol=0.1)


def test_the_reach_follows_the_long_axis_of_the_beam():
    image = field_image(beam=(10, 5, 0.0))  # north-south
    truths = sources_at([(100, 100), (200, 100)])
    found = match_radio(detections_at([(100, 104), (204, 100)]), truths, image)
    assert found.detections["MATCHED"].tolist() == [True, False]


def test_the_brightest_detection_takes_the_brightest_source_and_no_source_is_taken_twice():
    truths = sources_at([(100, 100), (103, 100)], snr=[10.0, 30.0])
    found = match(detections_at([(101, 100), (102, 100), (101.5, 100)], snr=[9, 29, 5]), truths)
    assert found.detections["TRUE_ROW"].tolist() == [0, 1, -1]
    assert found.detections["FRAGMENT"].tolist() == [False, False, True]
    assert found.detections["TRUE_SNR"].tolist()[:2] == [10.0, 30.0]
    assert np.isnan(found.detections["TRUE_SNR"][2])


def test_sources_that_nobody_can_see_excuse_no_detection():
    found = match(detections_at([(100, 100)]), sources_at([(100, 100)], snr=2.0))
    assert not found.detections["MATCHED"][0]


def test_a_lobe_belongs_to_its_radio_galaxy_and_a_second_one_is_a_fragment():
    truths = sources_at([(100, 100)], size=60.0, angle=0.0)
    lobes = detections_at([(100, 125), (100, 75), (125, 100)], snr=[20, 30, 10])
    found = match(lobes, truths)
    assert found.detections["MATCHED"].tolist() == [False, True, False]
    assert found.detections["FRAGMENT"].tolist() == [True, False, False]
    assert found.detections["TRUE_EXTENDED"].tolist() == [False, True, False]
    assert found.truths["N_DETECTIONS"].tolist() == [2]


def test_a_source_map_replaces_the_ellipse():
    truths = sources_at([(100, 100)], size=60.0, angle=0.0)
    extent = np.zeros((300, 300), dtype=int)
    extent[98:103, 98:140] = 1
    found = match(detections_at([(130, 100), (100, 125)]), truths, source_map=extent)
    assert found.detections["MATCHED"].tolist() == [True, False]
    assert found.detections["FRAGMENT"].tolist() == [False, False]


def test_a_point_source_in_front_of_a_large_one_keeps_its_own_detection():
    truths = sources_at([(100, 100), (100, 120)], snr=[50.0, 10.0], size=[60.0, 0.0])
    found = match(detections_at([(100, 120), (100, 100)], snr=[30.0, 20.0]), truths)
    assert found.detections["TRUE_ROW"].tolist() == [1, 0]


def test_what_the_catalogue_left_out_is_not_found_but_keeps_its_probability():
    detections = detections_at([(100, 100), (200, 200)], probability=[0.2, 0.9])
    detections["SELECTED"] = [False, True]
    found = match(detections, sources_at([(100, 100), (200, 200)]))
    assert found.truths["FOUND"].tolist() == [False, True]
    assert found.truths["FOUND_PROB"].tolist() == [0.2, 0.9]
    assert found.truths["N_DETECTIONS"].tolist() == [0, 1]


def test_a_selected_detection_picks_before_a_brighter_one_that_was_left_out():
    detections = detections_at([(99, 100), (101, 100)], snr=[50.0, 8.0])
    detections["SELECTED"] = [False, True]
    found = match(detections, sources_at([(100, 100)]))
    assert found.detections["MATCHED"].tolist() == [False, True]


def test_two_bright_sources_in_one_ellipse_are_a_merge():
    truths = sources_at([(100, 100), (111, 100), (100, 150)], snr=[20.0, 8.0, 8.0])
    found = match(detections_at([(102, 100)], size=14.0), truths)
    assert found.detections["N_WITHIN"].tolist() == [2]
    assert found.truths["MERGED"].tolist() == [False, True, False]
    np.testing.assert_allclose(found.truths["MERGED_BEAMS"][1], 1.1, atol=0.01)


def test_a_merge_follows_the_segments_where_they_are_given():
    truths = sources_at([(100, 100), (111, 100)], snr=[20.0, 8.0])
    segments = np.zeros((300, 300), dtype=int)
    segments[95:105, 95:107] = 7
    detections = detections_at([(100, 100)], size=30.0)
    detections["SEGMENT"] = [7]
    apart = match(detections, truths, segments=segments)
    assert apart.truths["MERGED"].tolist() == [False, False]
    segments[95:105, 95:115] = 7
    assert match(detections, truths, segments=segments).truths["MERGED"].tolist() == [False, True]


def test_near_a_bright_source_leaves_out_the_source_itself():
    truths = sources_at([(150, 150)], snr=101.0)
    found = match(detections_at([(150, 150), (180, 150), (195, 150)]), truths)
    assert found.detections["NEAR_BRIGHT"].tolist() == [False, True, False]
    faint = match(detections_at([(180, 150)]), sources_at([(150, 150)], snr=99.0))
    assert not faint.detections["NEAR_BRIGHT"][0]


def test_the_border_and_what_lies_outside_are_not_counted():
    truths = sources_at([(150, 150), (10, 150), (-20, 150)])
    found = match(detections_at([(150, 150), (10, 150)]), truths)
    assert found.truths["COUNTED"].tolist() == [True, False, False]
    assert found.detections["COUNTED"].tolist() == [True, False]
    assert found.detections["MATCHED"].all()


def test_chance_matches_are_counted_where_moved_detections_find_a_source():
    truths = sources_at([(150, 150), (220, 220)])
    found = match(detections_at([(150, 150)]), truths)
    np.testing.assert_allclose(found.detections["CHANCE"], [0.25])


@pytest.mark.parametrize(("n_detections", "n_truths"), [(0, 2), (2, 0), (0, 0)])
def test_empty_tables_match_nothing(n_detections, n_truths):
    places = [(100, 100), (200, 200)]
    found = match(detections_at(places[:n_detections]), sources_at(places[:n_truths]))
    assert len(found.detections) == n_detections
    assert not found.detections["MATCHED"].any()
    assert not found.truths["FOUND"].any()


def test_a_table_without_a_needed_column_is_refused():
    truths = sources_at([(100, 100)])
    truths.remove_column("SNR")
    with pytest.raises(PssegError, match="truth catalogue: no column SNR"):
        match(detections_at([(100, 100)]), truths)


def test_pairs_are_kept_in_the_order_of_the_keys():
    rows, candidates = [0, 0, 1], [0, 1, 0]
    taken = assign_in_order(rows, candidates, keys=[[0, 0, 0], [2, 1, 3]], n_rows=2, n_candidates=2)
    assert taken.tolist() == [1, 0]


def test_the_position_angle_runs_from_north_through_east():
    diagonal = np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2)
    lengths = elliptical_distance(diagonal, [2.0, 2.0], [1.0, 1.0], [45.0, 45.0])
    np.testing.assert_allclose(lengths, [0.5, 1.0])


def test_the_neighbour_of_a_source_is_the_nearest_brighter_one():
    truths = sources_at([(100, 100), (112, 100), (100, 130), (105, 100)], snr=[20, 8, 30, 4])
    beams = match(detections_at([]), truths).truths["NEIGHBOUR_BEAMS"]
    np.testing.assert_allclose(beams, [3.0, 1.2, np.nan, np.nan], atol=0.01)
