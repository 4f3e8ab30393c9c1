#!/usr/bin/env python3
"""Writes stations.lp.gz from the files that two PyPI packages carry.

    pip download --no-deps vega_datasets==0.9.0 pvlib==0.16.1
    python3 make_stations.py vega_datasets-*.whl pvlib-*.whl

See README.md beside this file for the sources and their terms. The same wheels give the same bytes.
"""

import csv
import datetime
import gzip
import io
import sys
import zipfile

# TMY3 column, field name. A value of -9900 means "missing" and is left out.
FIELDS = [
    ("GHI (W/m^2)", "ghi"),
    ("DNI (W/m^2)", "dni"),
    ("Dry-bulb (C)", "temperature"),
    ("Dew-point (C)", "dew_point"),
    ("RHum (%)", "humidity"),
    ("Pressure (mbar)", "pressure"),
    ("Wspd (m/s)", "wind_speed"),
]
INTEGERS = {"ghi", "dni", "humidity", "pressure"}


def epoch(moment, offset_hours):
    utc = moment - datetime.timedelta(hours=offset_hours)
    return int(utc.replace(tzinfo=datetime.timezone.utc).timestamp())


def noaa(text, station, offset_hours):
    for row in csv.DictReader(io.StringIO(text)):
        moment = datetime.datetime.strptime(row["date"][:16], "%Y/%m/%d %H:%M")
        fahrenheit = float(row["temp"])
        yield epoch(moment, offset_hours), f"air,source=noaa,station={station}", f"temperature_f={fahrenheit}"


def tmy3(text, station):
    reader = csv.reader(io.StringIO(text))
    offset_hours = float(next(reader)[3])
    header = next(reader)
    index = [(header.index(column), name) for column, name in FIELDS]
    for row in reader:
        day = datetime.datetime.strptime(row[0], "%m/%d/%Y")
        moment = day + datetime.timedelta(hours=int(row[1][:2]))  # 24:00 is the next day's 00:00
        fields = []
        for position, name in index:
            value = row[position]
            if value.strip() not in ("", "-9900"):
                fields.append(f"{name}={value}i" if name in INTEGERS else f"{name}={float(value)}")
        if fields:
            yield epoch(moment, offset_hours), f"weather,source=nrel,station={station}", ",".join(fields)


def member(wheel, suffix):
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(suffix))
        return archive.read(name).decode("utf-8-sig")


def main():
    vega, pvlib = sys.argv[1:3]
    rows = []
    rows += noaa(member(vega, "seattle-temps.csv"), "seattle", -8)
    rows += noaa(member(vega, "sf-temps.csv"), "san_francisco", -8)
    rows += tmy3(member(pvlib, "data/703165TY.csv"), "sand_point")
    rows += tmy3(member(pvlib, "data/723170TYA.CSV"), "greensboro")
    rows.sort(key=lambda row: (row[0], row[1]))
    with open("stations.lp.gz", "wb") as out, gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed:
        for seconds, key, fields in rows:
            packed.write(f"{key} {fields} {seconds}000000000\n".encode())
    print(f"{len(rows)} rows")


if __name__ == "__main__":
    main()
