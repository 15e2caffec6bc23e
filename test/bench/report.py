"""Rows of a benchmark: one measured value against each rival, as a table for people or one JSON object a line."""

import json
import statistics


class Report:
    def __init__(self, bench, as_json):
        self.bench, self.as_json, self.rows = bench, as_json, []

    def row(self, case, value, unit, against, against_value):
        """`ratio` is value / against_value: below 1 is better for costs and times, above 1 for rates."""
        row = {'bench': self.bench, 'case': case, 'value': round(value, 4), 'unit': unit, 'against': against,
               'against_value': round(against_value, 4),
               'ratio': round(value / against_value, 4) if against_value else None}
        self.rows.append(row)
        if self.as_json:
            print(json.dumps(row), flush=True)

    def finish(self):
        if self.as_json:
            return
        print(f'{"case":34} {"value":>12} {"unit":12} {"against":14} {"its value":>12} {"ratio":>7}')
        for row in self.rows:
            ratio = '' if row['ratio'] is None else f'{row["ratio"]:.3f}'
            print(f'{row["case"]:34} {row["value"]:12.2f} {row["unit"]:12} {row["against"]:14} '
                  f'{row["against_value"]:12.2f} {ratio:>7}')


def median(runs, key):
    return statistics.median(run[key] for run in runs)
