"""What each text head learns from: labels, rows with their weights, recipe, and the sentences of its card.

A task's rows come in groups (one source, or one kind of authored row); a group may be held out to see how a head does on a
source that it never saw. Rows marked "dev" are never trained on.
"""
import dataclasses
import random

import corpus
from heads import Recipe

DOMAINS = ("business", "law", "psychology", "biology", "chemistry", "history", "health", "economics", "math", "physics",
           "computer science", "philosophy", "engineering", "other")  # order of src/encoder/task.cc
KINDS = ("code", "creative_writing", "maths", "general_knowledge", "summarising", "translation", "extraction", "small_talk")


@dataclasses.dataclass
class Row:
    text: str
    label: str
    group: str              # where it comes from
    licence: str
    authored: bool = False
    dev: bool = False
    part: str = ""          # kind of row within the group
    made_of: tuple = ()     # texts that were put together


@dataclasses.dataclass
class Task:
    name: str
    labels: tuple
    rows: object            # data folder -> [Row]
    recipe: Recipe
    authored_weight: float  # of an authored row against another
    balance: float          # class weight = (mean count / count) ** balance
    positive: tuple = ()    # of a detector
    windows: str = "mean"
    false_positive_rate: float = 0.03  # at the shipped threshold, on the hard rows, by a head that had not seen them
    hard: tuple = ()        # groups whose innocent rows set the thresholds: those most like findings
    about: str = ""
    limits: str = ""
    folds: int = 3          # of the three, how many are judged by a head trained without them: a training each
    adapter_weight: float = 3.0         # of an authored row against another in the training of the task's adapter


def authored(name, label_of, part="sub"):
    """Rows of train/authored/NAME.jsonl; label_of gives a row's label, or nothing to leave it out."""
    rows = [(row, label_of(row)) for row in corpus.read_rows(corpus.AUTHORED / f"{name}.jsonl")]
    return [Row(row["text"], label, f"authored/{name}", row.get("licence", "Apache-2.0"), True, row.get("split") == "dev",
                row.get(part, "")) for row, label in rows if label]


def shared(path, label_of, dev=False, part="sub"):
    """Rows of a file of the data folder whose licence allows shipping."""
    rows = [(row, label_of(row)) for row in corpus.read_rows(path) if corpus.shippable(row)]
    return [Row(row["text"], label, row["source"].split("/")[0], row["licence"], False, dev, row.get(part, ""))
            for row, label in rows if label]


def some(rows, count, seed=1):
    return random.Random(seed).sample(rows, min(count, len(rows)))


def lexicon_rows(at_once=3):
    """Words of other languages that name a domain, a few a row."""
    rows = []
    for line in (corpus.AUTHORED / "lexicon.tsv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        domain, language, words = line.split("\t")
        words = words.split(", ")
        rows += [Row(", ".join(words[i:i + at_once]), domain, "authored/lexicon", "Apache-2.0", True, False, language)
                 for i in range(0, len(words), at_once)]
    return rows


def domain_rows(data):
    def label(row):
        return row["label"]
    return (shared(data / "domain_train.jsonl", label) + shared(data / "domain_dev.jsonl", label, dev=True) +
            lexicon_rows() + authored("domain", label) + authored("prompts", lambda row: row["domain"] if row["domain"] in DOMAINS else None, "kind"))


GUARD_CLASS = {"jailbreak": "jailbreak", "appended": "jailbreak", "injection": "injection", "indirect": "injection",
               "harmful": "harmful"}


def guard_label(row):
    return "benign" if row["label"] == 0 else GUARD_CLASS[row["sub"]]


def innocent_rows():
    """Authored prompts of other tasks: everyday texts without any attack."""
    def benign(_):
        return "benign"
    return authored("domain", benign) + authored("prompts", benign, "kind") + authored("fact_check", benign) + authored("feedback", benign)


SHORT = 300             # code points of texts that are put among others
DROWNED = ("jailbreak", "injection", "harmful")


def surrounded_rows(rows, calm_label="benign", of_each=2, innocent=1200, seed=7):
    """Authored findings with innocent texts before, behind or around them, and innocent texts in a row: what stands around a
    finding must not hide it. None of the rows marked dev takes part."""
    rng = random.Random(seed)
    short = [row for row in rows if row.authored and not row.dev and len(row.text) < SHORT]
    calm = [row.text for row in short if row.label == calm_label]

    def some_words(count):
        texts = []
        while sum(len(text.split()) for text in texts) < count:
            texts.append(rng.choice(calm))
        return texts

    def joined(texts, label):
        text = rng.choice((" ", " ", "\n", "\n\n")).join(texts)
        return Row(text, label, "authored, surrounded", "Apache-2.0", part="surrounded", made_of=tuple(texts))

    made = []
    for row in short:
        if row.part not in DROWNED or row.label == calm_label:
            continue
        for _ in range(of_each):
            before, behind = rng.choice(((0, 1), (1, 0), (1, 1)))
            words = rng.choice((10, 25, 50, 90))
            made.append(joined(some_words(before * words) + [row.text] + some_words(behind * words), row.label))
    return made + [joined(some_words(rng.choice((20, 50, 100))), calm_label) for _ in range(innocent)]


def jailbreak_rows(data):
    rows = shared(data / "jailbreak_train.jsonl", guard_label) + shared(data / "jailbreak_dev.jsonl", guard_label, dev=True)
    rows += shared(data / "jailbreak_hardneg_v2.jsonl", guard_label) + authored("jailbreak", guard_label)
    rows += authored("guard", guard_label) + innocent_rows()
    return rows + surrounded_rows(rows)


def injection_rows(data):
    """Documents above all; a direct injection inside one is an order too, a plain jailbreak says nothing about documents."""
    def label(row):
        kind = guard_label(row)
        return {"benign": "clean", "injection": "injected"}.get(kind)
    rows = shared(data / "jailbreak_train.jsonl", label) + shared(data / "jailbreak_dev.jsonl", label, dev=True)
    rows += shared(data / "jailbreak_hardneg_v2.jsonl", label) + authored("jailbreak", label) + authored("guard", label)
    for row in innocent_rows():
        row.label = "clean"
        rows.append(row)
    return rows + surrounded_rows(rows, "clean")


def complexity_rows(data):
    return (shared(data / "complexity_train.jsonl", lambda row: row["label"]) +
            authored("prompts", lambda row: row["difficulty"], "kind"))


def fact_check_rows(data):
    needed, free = "FACT_CHECK_NEEDED", "NO_FACT_CHECK_NEEDED"
    rows = authored("fact_check", lambda row: row["label"])
    rows += some(shared(data / "factcheck_train.jsonl", lambda row: row["label"]), 100)
    facts = ("history", "health", "law", "biology")
    rows += some([row for row in shared(data / "domain_train.jsonl", lambda row: needed if row["label"] in facts else None)
                  if row.group == "MMLU" and len(row.text) < 160], 250)
    kinds = {"code": free, "creative_writing": free, "maths": free, "translation": free, "small_talk": free,
             "summarising": free, "extraction": free}
    return rows + authored("prompts", lambda row: kinds.get(row["kind"]), "kind")


def feedback_rows(data):
    rows = authored("feedback", lambda row: row["label"]) + shared(data / "feedback_seed.jsonl", lambda row: row["label"])
    others = authored("prompts", lambda row: "NOT_FEEDBACK", "kind") + authored("domain", lambda row: "NOT_FEEDBACK")
    return rows + some(others, 500)


def task_kind_rows(data):
    kinds = {"advice": "general_knowledge", "analysis": "general_knowledge"}
    rows = authored("prompts", lambda row: kinds.get(row["kind"], row["kind"]) if row["kind"] else None, "kind")
    shared_kinds = {"HumanEval": "code", "gsm8k": "maths", "aqua": "maths"}
    extra = [row for row in shared(data / "domain_train.jsonl", lambda row: "?") if row.group in shared_kinds]
    for row in extra:
        row.label = shared_kinds[row.group]
    return [row for row in rows if row.label in KINDS] + some(extra, 200)


GUARD_STATES = (2, 3, 4, 5, 6, 7)
SMALL = dict(states=(2, 3, 4, 5, 6), hidden=128, epochs=14, batch=64, rate=1e-3, seeds=3, drop_hidden=0.5)

TASKS = {task.name: task for task in (
    Task("domain", DOMAINS, domain_rows, Recipe(nearest=20, vote=0.35, words=0.25), 12.0, 0.7,
         about="Sorts a prompt into one of 14 domains.",
         limits='"other" means whatever is none of the 13 (small talk, travel, cooking, trivia, politics, geography, accounting '
                'exams). Very short prompts without content words lean to "other".'),
    Task("jailbreak", ("benign", "jailbreak", "injection", "harmful"), jailbreak_rows,
         Recipe(states=GUARD_STATES, hidden=128, seeds=2, epochs=8, drop_hidden=0.5, words=0.15, segment_tokens=32,
                segment_odds=0.5), 4.0, 0.5, folds=1,
         positive=("jailbreak", "injection", "harmful"), windows="max", hard=("authored/jailbreak", "authored/guard"),
         about="Finds prompts that try to talk the model out of its rules (jailbreak), give it orders against its owner "
               "(injection, direct or inside a document), or ask for plainly harmful things (harmful). The score is the "
               "probability of all three together.",
         limits="It reads one message, not a conversation. Orders that are hidden in an encoding are not decoded."),
    Task("injection", ("clean", "injected"), injection_rows,
         Recipe(states=GUARD_STATES, hidden=128, seeds=2, epochs=8, drop_hidden=0.5, words=0.15, segment_tokens=32,
                segment_odds=0.5), 4.0, 0.5, folds=1,
         positive=("injected",), windows="max", hard=("authored/jailbreak", "authored/guard"),
         about="Finds instructions to the model inside documents, tool results and other text that should only be read.",
         limits="A document that instructs a human is told from one that instructs the model by its wording only."),
    Task("complexity", ("easy", "medium", "hard"), complexity_rows, Recipe(states=(2, 3, 4, 5, 6), seeds=2), 6.0, 0.5,
         about="How much reasoning a prompt needs: easy, medium or hard. Exam questions are labelled by how many of 29 models "
               "get them wrong, authored prompts by judgement.",
         limits="A weak signal: outcomes of models on exam questions are mostly noise to a reader of the question alone."),
    Task("fact_check", ("NO_FACT_CHECK_NEEDED", "FACT_CHECK_NEEDED"), fact_check_rows, Recipe(**SMALL), 1.0, 0.5,
         positive=("FACT_CHECK_NEEDED",), hard=("authored/fact_check",), false_positive_rate=0.1,
         about="Would a wrong answer be a wrong statement about the world, which a fact check could find?",
         limits="Opinions about facts and questions about the user's own texts lie between the two."),
    Task("feedback", ("SAT", "NEED_CLARIFICATION", "WRONG_ANSWER", "WANT_DIFFERENT", "NOT_FEEDBACK"), feedback_rows,
         Recipe(**SMALL), 1.0, 0.5,
         about="Is a message a reaction to the last answer, and which: satisfied, not understood, wrong, or wanted otherwise?",
         limits="It reads the message alone, not the answer before it."),
    Task("task_kind", KINDS, task_kind_rows, Recipe(**SMALL | {"seeds": 2, "epochs": 10, "hidden": 192}), 1.0, 0.5,
         about="What kind of work a prompt asks for. Requests for advice or analysis count as general knowledge.",
         limits="A prompt that asks for two kinds gets one."),
)}
