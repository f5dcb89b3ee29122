"""Finds and unpacks the packages that packages.lock names, each by name, version and hash.

npm packages come through `npm pack`, Debian's through `apt-get download`: whatever source these two
are set up to use is used, and an archive whose hash is not the pinned one is refused. Archives and
what is unpacked stay in the cache folder, so a second run fetches nothing.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile

import texts

HERE = os.path.dirname(os.path.abspath(__file__))


class FetchError(Exception):
    pass


def read_lock(path=os.path.join(HERE, "packages.lock")):
    """{name: (kind, version, hash)}"""
    locked = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                kind, name, version, digest = line.rstrip("\n").split("\t")
                locked[name] = (kind, version, digest)
    return locked


def digest_of(path, algorithm):
    hashed = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            hashed.update(block)
    if algorithm == "sha512":
        return "sha512-" + base64.b64encode(hashed.digest()).decode()
    return "sha256-" + hashed.hexdigest()


class Packages:
    """The pinned packages; folder(name) is where one lies unpacked."""

    def __init__(self, cache):
        self.cache = cache
        self.locked = read_lock()
        self.concept_of = {}  # English name -> concept of an emoji; filled by texts.py

    def version(self, name):
        return self.locked[name][1]

    def emoji_concept(self, title):
        """The concept of the emoji that carries this English name; None where there is none."""
        return self.concept_of.get(texts.slug(title))

    def archive(self, name):
        """The archive of a package, fetched where the cache lacks it, its hash checked."""
        if name not in self.locked:
            raise FetchError(f"{name}: not in packages.lock")
        kind, version, digest = self.locked[name]
        folder = os.path.join(self.cache, kind)
        os.makedirs(folder, exist_ok=True)
        if kind == "npm":
            file = name.lstrip("@").replace("/", "-") + f"-{version}.tgz"
            command = ["npm", "pack", "--silent", f"{name}@{version}"]
        elif kind == "deb":
            file = f"{name}_{version.replace(':', '%3a')}_all.deb"
            command = ["apt-get", "download", f"{name}={version}"]
        else:
            raise FetchError(f"packages.lock: {name}: kind {kind} is neither npm nor deb")
        path = os.path.join(folder, file)
        if not os.path.exists(path):
            print(f"fetch {name} {version}", file=sys.stderr, flush=True)
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode or not os.path.exists(path):
                raise FetchError(f"{' '.join(command)}: {done.stderr.strip()[-400:] or 'no file'}")
        found = digest_of(path, digest.split("-", 1)[0])
        if found != digest:
            raise FetchError(f"{path}: {found}, but packages.lock says {digest}")
        return path

    def folder(self, name):
        """The folder of the unpacked package (npm: what lies in `package/`)."""
        kind, version, digest = self.locked.get(name, ("", "", ""))
        target = os.path.join(self.cache, "unpacked", f"{name.replace('/', '-')}-{version}")
        done = os.path.join(target, ".unpacked")
        if os.path.exists(done):
            with open(done, encoding="utf-8") as file:
                if file.read() == digest:
                    return target
        archive = self.archive(name)
        shutil.rmtree(target, ignore_errors=True)
        os.makedirs(target)
        print(f"unpack {name} {version}", file=sys.stderr, flush=True)
        if kind == "npm":
            with tarfile.open(archive) as tar:
                for member in tar:
                    # Some packages name their top folder otherwise than `package`.
                    parts = member.name.split("/", 1)
                    if member.isfile() and len(parts) == 2:
                        member.name = parts[1]
                        tar.extract(member, target, filter="data")
        else:
            subprocess.run(["dpkg-deb", "-x", archive, target], check=True)
        with open(done, "w", encoding="utf-8") as file:
            file.write(digest)
        return target
