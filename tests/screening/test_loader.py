"""The evaluator gets a study at a time."""

from fake_preprocessing import LoadFake
from scripts.radiograph import IsolatedReader
from scripts.screening import StudyDataset


def test_the_films_of_a_study_come_together_and_in_order_whether_read_or_refused():
    films = [("a", "1"), ("b", "1"), ("chest", "1"), ("c", "2"), ("d", "1"), ("e", None), ("f", None)]
    data = [{"image": name, "name": name, **({"study": study} if study else {})} for name, study in films]
    dataset = StudyDataset(data, IsolatedReader(LoadFake()))
    for _ in range(2):
        studies = [[film["name"] for film in study] for study in dataset]
        assert studies == [["a", "b", "chest"], ["c"], ["d"], ["e"], ["f"]]
        assert len(dataset) == len(studies)
