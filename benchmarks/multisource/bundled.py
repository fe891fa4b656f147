"""Problems of the tables that come with sktandem: all of them are for tuning."""

from sktandem.datasets import (
    load_heart_disease,
    load_lalonde,
    load_mushroom,
    load_student_performance,
    load_wine_quality,
)

from .problem import Problem


class Bundled(Problem):
    licence = "CC BY 4.0"
    bundled = True


class Wine(Bundled):
    name, table = "wine", "wine quality"
    why = "two sources with rows enough of their own"

    def load(self):
        return load_wine_quality(return_X_y=True)


class Wine200(Wine):
    name = "wine, 200 red"
    why = "a small source beside a large one"
    train = {"red": 200}  # noqa: RUF012


class Wine50(Wine):
    name = "wine, 50 red"
    why = "a very small source beside a large one"
    train = {"red": 50}  # noqa: RUF012


class Hospitals(Bundled):
    name = table = "hospitals"
    why = "other base rates and other missing columns in each of four hospitals"
    task = "classification"
    fewest = 6

    def load(self):
        return load_heart_disease(return_X_y=True)


class Pupils(Bundled):
    name = table = "pupils"
    why = "many categories, few rows, other marks in each subject"

    def load(self):
        return load_student_performance(return_X_y=True)


class LaLonde(Bundled):
    name = table = "LaLonde"
    licence = "MIT"
    why = "a skewed target with many zeros, another population"

    def load(self):
        return load_lalonde(return_X_y=True)


class Mushroom(Bundled):
    name, table = "mushroom, 100 tapering", "mushroom"
    why = "categories alone; the stalk shapes have other rules"
    task = "classification"
    train = {"tapering": 100}  # noqa: RUF012
    n_train = 1500

    def load(self):
        return load_mushroom(return_X_y=True)


BUNDLED = (Wine, Wine200, Wine50, Hospitals, Pupils, LaLonde, Mushroom)
