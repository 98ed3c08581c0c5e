#!/usr/bin/env bash
# What the machine itself must have. As root on Debian or Ubuntu it is installed; elsewhere it is named.
#   system.sh python PYTHON   the interpreter is new enough and can build environments
#   system.sh window          the libraries a Qt window needs and, without a screen, a virtual display
#   system.sh has-display     exit status only: is there a screen to open a window on
set -euo pipefail

# shared library that must be loadable = Debian package that has it
LIBRARIES="
libGL.so.1=libgl1
libEGL.so.1=libegl1
libdbus-1.so.3=libdbus-1-3
libfontconfig.so.1=libfontconfig1
libglib-2.0.so.0=libglib2.0-0
libxkbcommon-x11.so.0=libxkbcommon-x11-0
libxcb-cursor.so.0=libxcb-cursor0
libxcb-icccm.so.4=libxcb-icccm4
libxcb-image.so.0=libxcb-image0
libxcb-keysyms.so.1=libxcb-keysyms1
libxcb-randr.so.0=libxcb-randr0
libxcb-render-util.so.0=libxcb-render-util0
libxcb-shape.so.0=libxcb-shape0
libxcb-sync.so.1=libxcb-sync1
libxcb-xfixes.so.0=libxcb-xfixes0
libxcb-xinerama.so.0=libxcb-xinerama0
libxcb-xkb.so.1=libxcb-xkb1
"

is_debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Only Linux draws through X or Wayland; macOS and Windows always have a screen.
has_display() { [ "$(uname -s)" != Linux ] || [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }

apt_install() {
  echo "installing system packages: $*"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_python() {
  local python=$1
  if ! command -v "$python" >/dev/null; then
    if is_debian_root; then apt_install python3 python3-venv; else
      echo "$python is missing: install Python 3.11 or newer" >&2; exit 1
    fi
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$python is $("$python" -V 2>&1): Python 3.11 or newer is needed; name another with 'make PYTHON=python3.12 …'" >&2
    exit 1
  fi
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if is_debian_root; then apt_install python3-venv; else
      echo "$python cannot build environments: install its venv module (Debian, Ubuntu: sudo apt-get install python3-venv)" >&2
      exit 1
    fi
  fi
}

need_window() {
  [ "$(uname -s)" = Linux ] || return 0
  local known entry sonames="" packages=""
  known=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null || true)
  for entry in $LIBRARIES; do
    if ! grep -qF "${entry%%=*}" <<<"$known"; then
      sonames+=" ${entry%%=*}"
      packages+=" ${entry#*=}"
    fi
  done
  if ! has_display && ! command -v Xvfb >/dev/null; then
    sonames+=" Xvfb"
    # Mesa's software renderer draws in the virtual display; without a font every label is a row of boxes.
    packages+=" xvfb libgl1-mesa-dri fonts-dejavu-core"
  fi
  [ -n "$packages" ] || return 0
  if is_debian_root; then
    # shellcheck disable=SC2086  # a list of words
    apt_install $packages
  elif command -v apt-get >/dev/null; then
    echo "a window needs system packages that are missing; install them with: sudo apt-get install$packages" >&2
    exit 1
  else
    echo "a window needs what is missing here; install with your package manager what provides:$sonames" >&2
    exit 1
  fi
}

case "${1:-}" in
  python) need_python "${2:-python3}" ;;
  window) need_window ;;
  has-display) has_display ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
