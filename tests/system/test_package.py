"""What `cmake --install` lays out, and that deploy/debian/ takes all of it. The
packages themselves are built and tried by `tests/run.sh package`.

SPDX-License-Identifier: MIT
"""

import fnmatch
import os
import re
import subprocess

import pytest

from support.stack import BUILD, ROOT

pytestmark = pytest.mark.plain

DEBIAN = ROOT / "deploy" / "debian"
KINDS = ("gateway", "chatd", "presenced")
PACKAGES = ("common", *KINDS)


def run(*words, **env):
    return subprocess.run([str(w) for w in words], check=False, text=True,
                          capture_output=True, env={**os.environ, **env})


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """An installation below a directory that a package is made from."""
    root = tmp_path_factory.mktemp("staged")
    done = run("cmake", "--install", BUILD, DESTDIR=str(root))
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="module")
def prefix(staged):
    cache = (BUILD / "CMakeCache.txt").read_text()
    found = re.search(r"^CMAKE_INSTALL_PREFIX:PATH=/(.*)$", cache,
                      re.MULTILINE)
    return staged / found[1]


def files_below(directory):
    return {str(path.relative_to(directory)) for path in directory.rglob("*")
            if not path.is_dir()}


def test_everything_is_laid_out(prefix):
    files = files_below(prefix)
    expected = {f"sbin/{kind}" for kind in KINDS}
    expected |= {f"etc/parley/{kind}.conf" for kind in KINDS}
    expected |= {f"lib/systemd/system/parley-{kind}@.service"
                 for kind in KINDS}
    expected |= {"lib/systemd/system/parley.target",
                 "lib/systemd/system/parley-migrate.service",
                 "lib/sysusers.d/parley.conf", "lib/tmpfiles.d/parley.conf",
                 "share/parley/certificates.sh", "share/parley/database.sql",
                 "share/parley/www/index.html",
                 "share/parley/prometheus/alerts.rules.yml",
                 "share/parley/grafana/parley.json",
                 "share/parley/proxy/haproxy.cfg",
                 "share/doc/parley/README.md",
                 "share/doc/parley/docs/operations.md",
                 "share/doc/parley/docs/decisions/050-debian-packages.md"}
    assert expected <= files, expected - files
    for name in ("sbin/gateway", "share/parley/certificates.sh"):
        assert os.access(prefix / name, os.X_OK)


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_installed_are_good(prefix, kind):
    done = run(prefix / "sbin" / kind, "--check-config",
               f"--config={prefix}/etc/parley/{kind}.conf",
               PARLEY_DATABASE_URL="host=127.0.0.1 dbname=x")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_migrations_unit_is_well_formed(prefix, tmp_path):
    text = (prefix / "lib/systemd/system/parley-migrate.service").read_text()
    assert re.search(r"^ExecStart=/\S+/sbin/chatd .*--migrate-only$", text,
                     re.MULTILINE)
    unit = tmp_path / "parley-migrate.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text,
                           flags=re.MULTILINE))
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert done.returncode == 0 and done.stderr == "", done.stderr


def test_the_migrations_unit_is_as_closed_as_chatd(prefix):
    """But for what chatd opens to listen."""
    units = prefix / "lib/systemd/system"
    sandbox = {}
    for name in ("parley-chatd@.service", "parley-migrate.service"):
        text = (units / name).read_text().split("# ---- the sandbox")[1]
        sandbox[name] = set(re.findall(r"^\w+=.*$", text, re.MULTILINE))
    chatd, migrate = sandbox.values()
    assert migrate <= chatd
    assert chatd - migrate <= {"ReadWritePaths=/run/parley",
                               "SystemCallFilter=@chown",
                               "WantedBy=parley.target"}


def test_accounts_and_directories_can_be_made(prefix):
    text = (prefix / "lib/sysusers.d/parley.conf").read_text()
    made = set(re.findall(r"^[ug] (\S+)", text, re.MULTILINE))
    directories = (prefix / "lib/tmpfiles.d/parley.conf").read_text()
    for kind in KINDS:
        unit = (prefix / f"lib/systemd/system/parley-{kind}@.service"
                ).read_text()
        assert re.search(r"^User=(\S+)$", unit, re.MULTILINE)[1] in made
        assert re.search(r"^Group=(\S+)$", unit, re.MULTILINE)[1] in made
        for path in re.findall(r"^ReadWritePaths=(\S+)$", unit, re.MULTILINE):
            assert f"d {path} " in directories


# ---- deploy/debian -----------------------------------------------------------

def debian_path(name):
    """Where deploy/debian/rules has a file of the installed tree."""
    name = re.sub(r"^sbin/", "libexec/parley/", name)
    name = re.sub(r"^share/doc/parley/", "share/doc/parley-common/", name)
    return name if name.startswith("etc/") else "usr/" + name


def test_every_file_is_in_exactly_one_package(prefix):
    """debhelper says so too, when the packages are built."""
    lists = {package: (DEBIAN / f"parley-{package}.install").read_text()
             .split() for package in PACKAGES}
    for name in files_below(prefix):
        path = debian_path(name)
        owners = [package for package, patterns in lists.items()
                  if any(fnmatch.fnmatch(path, pattern) or
                         path.startswith(pattern + "/")
                         for pattern in patterns)]
        assert len(owners) == 1, (path, owners)


def test_the_package_is_of_the_project_s_version():
    project = re.search(r"^project\(parley VERSION (\S+)",
                        (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)[1]
    newest = re.match(r"parley \(([^)]+)\)",
                      (DEBIAN / "changelog").read_text())[1]
    assert newest == project


def test_build_dependencies_are_those_of_packages_sh():
    control = (DEBIAN / "control").read_text()
    needed = set(re.findall(r"^ {15}([a-z0-9+-]+)", control, re.MULTILINE))
    listed = set(run(ROOT / "deploy/packages.sh", "--list", "build"
                     ).stdout.split())
    libraries = {name for name in listed if name.endswith("-dev")}
    assert libraries - {"libc6-dev"} <= needed, libraries - needed
    assert "libwebsockets-evlib-uv" in control


@pytest.mark.parametrize("script", sorted(
    p.name for p in DEBIAN.glob("*.p*") if re.search(
        r"\.(postinst|prerm|postrm)(\.in)?$", p.name)))
def test_maintainer_scripts_are_shell(script):
    text = (DEBIAN / script).read_text().replace("@KIND@", "gateway")
    done = subprocess.run(["sh", "-n"], input=text, text=True, check=False,
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "set -e" in text and "#DEBHELPER#" in text
