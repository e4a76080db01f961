# Packages of Debian, unpacked into a folder: nothing is installed, nothing needs root. Sourced by the other scripts, which
# define `say`.

has() { command -v "$1" >/dev/null 2>&1; }

# Is this Debian? Then: the release's name, the name of this machine's folders of libraries, and the program that loads
# dynamic executables.
debian() {
    has apt-get && has dpkg-deb && grep -q '^ID=debian' /etc/os-release 2>/dev/null || return 1
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    case $(dpkg --print-architecture) in
        amd64) triplet=x86_64-linux-gnu loader=lib64/ld-linux-x86-64.so.2 ;;
        arm64) triplet=aarch64-linux-gnu loader=lib/ld-linux-aarch64.so.1 ;;
        *) return 1 ;;
    esac
}

# debian_unpack SUITE FOLDER LEFT_OUT PACKAGE...: downloads the packages with all that they need, but for those
# that match LEFT_OUT (an extended regular expression), and unpacks them into FOLDER.
debian_unpack() {
    suite=$1 folder=$2 left_out=$3
    shift 3
    mirror=$(mirror_of "$release")
    [ -n "$mirror" ] || { say "no Debian mirror found in apt's configuration"; return 1; }
    say "unpacking $* of Debian $suite and what they need from $mirror into $folder (nothing is installed)"
    apt=$folder.apt
    rm -rf "$folder" "$apt"
    mkdir -p "$folder" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs" "$apt/none"
    : > "$apt/status"
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -r $keys ] && signed=" [signed-by=$keys]" || signed=
    echo "deb$signed $mirror $suite main" > "$apt/sources.list"
    # The machine's own apt.conf.d stays in force (proxies); hooks and pins that act on the system do not.
    cat > "$apt/apt.conf" <<END
#clear APT::Update;
#clear DPkg;
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none";
Dir::Etc::preferences "$apt/none/preferences";
Dir::Etc::preferencesparts "$apt/none";
Dir::Log "$apt/none";
END
    (
        apt-get -q -c "$apt/apt.conf" update > "$apt/log" 2>&1 &&
        apt-get -c "$apt/apt.conf" -s install "$@" 2>> "$apt/log" | awk '/^Inst / { print $2 }' |
            grep -vxE "$left_out" > "$apt/wanted" &&
        cd "$apt/debs" && xargs apt-get -q -c "$apt/apt.conf" download < "$apt/wanted" >> "$apt/log" 2>&1 &&
        for deb in *.deb; do dpkg-deb -x "$deb" "$folder" || exit 1; done
    ) || { say "that did not work:"; tail -n 5 "$apt/log" >&2; rm -rf "$folder" "$apt"; return 1; }
    rm -rf "$apt" "$folder/usr/share/doc" "$folder/usr/share/man" "$folder/usr/share/locale"
}

# The base URL from which this machine's apt takes the suite $1. apt prints it, whatever format its sources have.
mirror_of() { apt-get update --print-uris 2>/dev/null | sed -n "s|^'\(.*\)/dists/$1/InRelease'.*|\1|p" | head -n 1; }
