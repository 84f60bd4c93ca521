"""Takes storm.py, storm.js and storm.rb out of a jar of Storm: fetch.py URL FOLDER."""

import io
import pathlib
import sys
import urllib.request
import zipfile

url, folder = sys.argv[1:]
try:
    jar = urllib.request.urlopen(url, timeout=60).read()
except OSError as error:
    sys.exit(f"could not fetch {url}: {error}")
found = 0
with zipfile.ZipFile(io.BytesIO(jar)) as archive:
    for name in archive.namelist():
        file = pathlib.PurePosixPath(name)
        if str(file.parent) == "resources" and file.name in ("storm.py", "storm.js", "storm.rb"):
            target = pathlib.Path(folder, file.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
            found += 1
if not found:
    sys.exit(f"{url} has no client library in it")
