#!/bin/bash
# The one script a person runs: installs, builds, starts, stops, tests, measures.
# All state is under POS_DIR (.pos); POS_PORT is where nginx listens. See docs/quickstart.md.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BUILD=${POS_BUILD:-$ROOT/build}
POS_PORT=${POS_PORT:-8080}
POS_DIR=${POS_DIR:-$ROOT/.pos}
case $POS_DIR in /*) ;; *) POS_DIR=$PWD/$POS_DIR ;; esac
# What is said is said in one language, and a locale that is not installed is no matter.
export LC_ALL=C.UTF-8

# What a bare Debian 12 lacks. `test` and `bench` need the second list too.
PACKAGES="nginx nginx-dev libluajit-5.1-dev liblmdb-dev libsimdjson-dev
    libpcre2-dev libcurl4-openssl-dev libssl-dev libpq-dev lua-cjson lua-cjson-dev
    postgresql-15 postgresql-client-15 gcc g++ make pkg-config perl libyaml-pp-perl
    libcpanel-json-xs-perl tzdata curl ca-certificates openssl procps util-linux xz-utils"
TEST_PACKAGES="postgresql-15-pgtap nghttp2-client lua-check wrk clang clang-format python3 valgrind"

PG_BIN=/usr/lib/postgresql/15/bin
SERVICE_USER=$(id -un)
[ "$(id -u)" -ne 0 ] || SERVICE_USER=postgres

say() { printf '%s\n' "$*" >&2; }
die() { say "build.sh: $*"; exit 1; }

# Neither make, nor its shell, nor nginx's configuration, nor PostgreSQL's lists take any path.
for path in "$ROOT" "$BUILD" "$POS_DIR"; do
    case $path in *[!A-Za-z0-9/._+@=~-]*)
        die "the path $path has a space or a sign in it that make, nginx or PostgreSQL would misread; take another folder" ;;
    esac
done

# As root, what runs is given to the postgres user: PostgreSQL refuses to be root,
# and nothing else needs to be.
SERVICE=()
[ "$(id -u)" -ne 0 ] || SERVICE=(setpriv --reuid postgres --regid postgres --init-groups env HOME=/tmp)

# Nothing that goes on running may keep the lock that start holds on descriptor 9.
as_service() { ${SERVICE[@]+"${SERVICE[@]}"} "$@" 9>&-; }

# --- packages and build ---------------------------------------------------

missing_packages() {
    local p
    for p in "$@"; do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q ' installed$' || echo "$p"
    done
}

install_packages() {
    local missing sudo=
    # shellcheck disable=SC2046
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "these packages are missing, and there is no sudo; as root do:
  apt-get install" $missing
        sudo=sudo
    fi
    say "installing:" $missing
    local failed=
    # shellcheck disable=SC2086
    apt_install "$sudo" $missing || failed=yes
    [ -z "$(missing_packages $missing)" ] || die "could not install:" $(missing_packages $missing)
    [ -z "$failed" ] || say "apt-get complained, but everything needed is installed"
}

# Debian would start a cluster and a web server of its own on installation; what forbids
# that goes away again whatever happens, Ctrl-C included.
apt_install() (
    sudo=$1 marker=/usr/sbin/policy-rc.d code=0
    shift
    if [ ! -e $marker ]; then
        trap '$sudo rm -f $marker' EXIT
        trap 'exit 130' INT TERM HUP
        printf '#!/bin/sh\nexit 101\n' | $sudo tee $marker >/dev/null
        $sudo chmod 755 $marker
    fi
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2 || code=1
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >&2 || code=1
    exit $code
)

build() {
    [ "${POS_SKIP_BUILD:-}" = 1 ] && return 0
    install_packages $PACKAGES
    say "building"
    make -s -C "$ROOT" -j"$(nproc)" BUILD="$BUILD" all >&2
    sample_book
}

sample_book() {
    local book=$BUILD/sample.json
    if [ ! -e "$book" ] || [ -n "$(find "$ROOT/scripts" -newer "$book" -type f -print -quit)" ]; then
        perl "$ROOT/scripts/sample/book.pl" > "$book.new"
        mv "$book.new" "$book"
    fi
}

# --- the state folder -----------------------------------------------------

# POS_DIR itself when the service user can reach it and its socket fits into the 107
# bytes that a unix socket address has; else a link to a folder where that is so.
prepare_state() {
    local real=$POS_DIR
    if [ ! -e "$POS_DIR" ] && ! reachable "$(dirname "$POS_DIR")"; then
        real=/var/tmp/pos-$(printf %s "$POS_DIR" | sha256sum | cut -c1-12)
    fi
    if [ "$real" != "$POS_DIR" ]; then
        if ! mkdir -m 755 "$real" 2>/dev/null; then
            [ -d "$real" ] && [ ! -L "$real" ] && owned "$real" || die "$real is not ours"
        fi
        mkdir -p "$(dirname "$POS_DIR")"
        ln -sfn "$real" "$POS_DIR"
    fi
    mkdir -p "$POS_DIR"/{run,replica,spool,log,lib,tmp}
    chmod 755 "$POS_DIR" "$POS_DIR/log" "$POS_DIR/lib"
    chmod 700 "$POS_DIR"/{run,replica,spool,tmp}
    STATE=$(cd "$POS_DIR" && pwd -P)
    if [ "$(id -u)" -eq 0 ]; then
        chown "$SERVICE_USER" "$STATE" "$STATE"/{run,replica,spool,log,tmp}
    fi
}

owned() {
    local uid
    uid=$(stat -c %u "$1")
    [ "$uid" = "$(id -u)" ] || [ "$uid" = "$(id -u "$SERVICE_USER")" ]
}

reachable() {
    local dir=$1
    while [ ! -e "$dir" ]; do dir=$(dirname "$dir"); done
    as_service test -x "$dir" || return 1
    [ "${#POS_DIR}" -le 85 ]
}

# The running programs are copies, so that a rebuild never changes them under way
# and the service user can read them wherever the checkout is. POS_POSD: another posd.
copy_products() {
    local f from
    for f in ngx_http_pos_module.so posd poscalc openapi.json functions.txt; do
        [ -e "$BUILD/$f" ] || die "$BUILD/$f is missing; build first"
        from=$BUILD/$f
        [ "$f" != posd ] || from=${POS_POSD:-$from}
        cp "$from" "$STATE/lib/$f.new"
        chmod a+rX "$STATE/lib/$f.new"
        mv -f "$STATE/lib/$f.new" "$STATE/lib/$f"
    done
    cp "$ROOT/docs/errors.md" "$STATE/lib/errors.md"
    chmod a+r "$STATE/lib/errors.md"
    rm -rf "$STATE/lib/sql"
    mkdir -p "$STATE/lib/sql"
    cp -r "$ROOT/sql/migrations" "$ROOT/sql/api" "$STATE/lib/sql/"
    chmod -R a+rX "$STATE/lib/sql"
}

# --- processes ------------------------------------------------------------

pid_of() { cat "$STATE/run/$1.pid" 2>/dev/null | head -1 || true; }

# A pid file may outlive its process, and the number may then belong to another.
is_running() {
    local pid command
    pid=$(pid_of "$1")
    [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] || return 1
    command=$(tr '\0' ' ' < "/proc/$pid/cmdline")
    case $command in *"$2"*) return 0 ;; *) return 1 ;; esac
}

pg_pid() { head -1 "$STATE/pg/postmaster.pid" 2>/dev/null || true; }

pg_running() {
    local pid
    pid=$(pg_pid)
    [ -n "$pid" ] && grep -qa postgres "/proc/$pid/cmdline" 2>/dev/null
}

# wait_until SECONDS COMMAND…: the command's success, or failure at the deadline.
wait_until() {
    local end=$(( $(date +%s%N) + $1 * 1000000000 ))
    shift
    until "$@"; do
        [ "$(date +%s%N)" -lt "$end" ] || return 1
        read -rt 0.05 <> <(:) || true
    done
}

# A child keeps no descriptor of ours: a pipe that reads our output must see its end.
detach() {
    local log=$1
    shift
    (cd / && exec setsid ${SERVICE[@]+"${SERVICE[@]}"} "$@" </dev/null >>"$log" 2>&1 9>&-) &
    STARTED+=("$!")
}

# Ctrl-C may come when something is forked and has not written its pid file yet.
STARTED=()
end_started() {
    local pid
    for pid in ${STARTED[@]+"${STARTED[@]}"} ${!-}; do
        case $(tr '\0' ' ' 2>/dev/null < "/proc/$pid/cmdline") in
            *"$STATE"*|*build.sh*) ;;
            *) continue ;;
        esac
        kill -TERM "$pid" 2>/dev/null || true
        wait_until 10 gone "$pid" || kill -9 "$pid" 2>/dev/null || true
    done
}

psql_as() {
    local role=$1
    shift
    # The service user may not be allowed where we are.
    (cd / && as_service env PGOPTIONS= psql -X -q -v ON_ERROR_STOP=1 -h "$STATE/run" -U "$role" "$@")
}

conninfo() { printf 'host=%s dbname=pos user=%s' "$STATE/run" "$1"; }

start_postgres() {
    if [ ! -e "$STATE/pg/PG_VERSION" ]; then
        say "creating the database"
        rm -rf "$STATE/pg"
        (cd / && as_service "$PG_BIN/initdb" -D "$STATE/pg" -U pos_super -A trust \
            -E UTF8 --locale=C.UTF-8 ${POS_PG_NOSYNC:+--no-sync} >"$STATE/log/initdb.log" 2>&1) \
            || { cat "$STATE/log/initdb.log" >&2; die "initdb failed"; }
    fi
    write_postgres_conf
    # A pid file left by a crash stays: by it PostgreSQL knows its own orphans.
    pg_running && return 0
    (cd / && as_service "$PG_BIN/pg_ctl" -D "$STATE/pg" -l "$STATE/log/postgres.log" -w -t 60 -s start \
        </dev/null >>"$STATE/log/start.log" 2>&1) \
        || { tail -5 "$STATE/log/postgres.log" >&2; die "PostgreSQL did not start"; }
}

write_postgres_conf() {
    printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$STATE/run'" \
        "unix_socket_permissions = 0700" "max_connections = 64" "shared_buffers = 128MB" \
        "timezone = 'UTC'" "log_timezone = 'UTC'" "max_wal_size = 2GB" \
        "log_line_prefix = '%m [%p] %q%u '" "jit = off" \
        ${POS_PG_NOSYNC:+"fsync = off"} \
        | as_service tee "$STATE/pg/pos.conf" >/dev/null
    as_service grep -q "pos.conf" "$STATE/pg/postgresql.conf" \
        || echo "include 'pos.conf'" | as_service tee -a "$STATE/pg/postgresql.conf" >/dev/null
}

# The migrations make the roles: an owner that never logs in, pos_api for nginx and
# pos_daemon for posd, both under row-level security.
create_database() {
    psql_as pos_super -d postgres -tAc "select 1 from pg_database where datname = 'pos'" \
        | grep -q 1 && return 0
    psql_as pos_super -d postgres -c 'create database pos'
}

migrate() {
    (cd / && as_service "$STATE/lib/posd" migrate --database "$(conninfo pos_super)" \
        --sql "$STATE/lib/sql" --functions "$STATE/lib/functions.txt" >>"$STATE/log/posd.log" 2>&1) \
        || { tail -5 "$STATE/log/posd.log" >&2; die "migration failed, see $STATE/log/posd.log"; }
}

start_posd() {
    is_running posd posd && return 0
    rm -f "$STATE/run/posd.pid"
    # The shell that becomes posd writes its own number.
    # shellcheck disable=SC2016
    detach "$STATE/log/posd.log" sh -c 'echo $$ > "$1"; shift; exec "$@"' posd \
        "$STATE/run/posd.pid" "$STATE/lib/posd" run --database "$(conninfo pos_daemon)" \
        --replica "$STATE/replica" --spool "$STATE/spool"
    wait_until 5 is_running posd posd || die "posd did not start, see $STATE/log/posd.log"
}

start_nginx() {
    is_running nginx nginx && return 0
    rm -f "$STATE/run/nginx.pid"
    end_orphans
    nginx_conf > "$STATE/nginx.conf.new"
    chmod a+r "$STATE/nginx.conf.new"
    mv "$STATE/nginx.conf.new" "$STATE/nginx.conf"
    (cd / && ASAN_OPTIONS=${POS_ASAN_OPTIONS:-detect_leaks=0} as_service "$(nginx_binary)" -e "$STATE/log/nginx.log" -c "$STATE/nginx.conf" -p "$STATE" \
        </dev/null >>"$STATE/log/start.log" 2>&1) \
        || { tail -5 "$STATE/log/start.log" >&2; die "nginx did not start on port $POS_PORT"; }
    wait_until 5 is_running nginx nginx || die "nginx did not start, see $STATE/log/nginx.log"
}

# Said before anything is started: another's port is not seen by nginx before all else runs.
free_port() {
    is_running nginx nginx && return 0
    end_orphans
    ! (: <>"/dev/tcp/127.0.0.1/$POS_PORT") 2>/dev/null \
        || die "port $POS_PORT is taken by another program; take another one: POS_PORT=$((POS_PORT + 1)) ./build.sh $command"
}

# Workers whose master was killed still hold the port. They are known by our module
# in their memory, wherever they came from.
end_orphans() {
    local maps pids=
    for maps in $(grep -ls "$STATE/lib/ngx_http_pos_module" /proc/[0-9]*/maps 2>/dev/null); do
        pids="$pids $(basename "$(dirname "$maps")")"
    done
    [ -n "$pids" ] || return 0
    # shellcheck disable=SC2086
    kill -QUIT $pids 2>/dev/null || true
    wait_until 5 all_gone $pids && return 0
    # shellcheck disable=SC2086
    kill -9 $pids 2>/dev/null || true
    # shellcheck disable=SC2086
    wait_until 5 all_gone $pids || say "still there:" $pids
}

all_gone() {
    local pid
    for pid in "$@"; do gone "$pid" || return 1; done
}

# POS_NGINX: another nginx, with our module built in (t/asan.t).
nginx_binary() {
    if [ -n "${POS_NGINX:-}" ]; then
        cp "$POS_NGINX" "$STATE/lib/nginx.new" && chmod 755 "$STATE/lib/nginx.new" && mv -f "$STATE/lib/nginx.new" "$STATE/lib/nginx"
        echo "$STATE/lib/nginx"
    else
        command -v nginx || echo /usr/sbin/nginx
    fi
}

nginx_conf() {
    cat <<CONF
# Written by build.sh at every start.
${POS_NGINX_MODULE-load_module $STATE/lib/ngx_http_pos_module.so;}
worker_processes ${POS_WORKERS:-2};
worker_shutdown_timeout 30s;
pid $STATE/run/nginx.pid;
error_log $STATE/log/nginx.log ${POS_LOG_LEVEL:-notice};
events { worker_connections 4096; }
${POS_NGINX_MAIN:-}
http {
    default_type application/octet-stream;
    access_log off;
    server_tokens off;
    tcp_nodelay on;
    keepalive_requests 1000000;
    client_body_buffer_size 128k;
    client_max_body_size 1g;
    large_client_header_buffers 4 16k;
    # an import becomes part of the spool by a rename: one file system
    client_body_temp_path $STATE/spool/body;
    proxy_temp_path $STATE/tmp/proxy;
    fastcgi_temp_path $STATE/tmp/fastcgi;
    scgi_temp_path $STATE/tmp/scgi;
    uwsgi_temp_path $STATE/tmp/uwsgi;

    pos_contract $STATE/lib/openapi.json;
    pos_functions $STATE/lib/functions.txt;
    pos_replica $STATE/replica;
    pos_database "$(conninfo pos_api)";
    pos_pool ${POS_POOL:-4};
    pos_spool $STATE/spool;
    pos_check_responses ${POS_CHECK_RESPONSES:-off};
${POS_NGINX_HTTP:-}
    server {
        listen 127.0.0.1:$POS_PORT${POS_BACKLOG:+ backlog=$POS_BACKLOG};
${POS_H2_PORT:+        listen 127.0.0.1:$POS_H2_PORT http2;}
        location / { pos_api; }
        # where the type of every problem leads
        location = /docs/errors {
            default_type "text/markdown; charset=utf-8";
            alias $STATE/lib/errors.md;
            error_page 403 404 405 = @api;
        }
        location @api { pos_api; }
${POS_NGINX_SERVER:-}
    }
}
CONF
}

healthy() { curl -fsS -m 2 "http://127.0.0.1:$POS_PORT/healthz" 2>/dev/null | grep -q '"ready": *true'; }

# --- the sample retailer --------------------------------------------------

load_sample() {
    [ -s "$STATE/keys.json" ] && return 0
    [ "${POS_SAMPLE:-1}" = 1 ] || return 0
    local keys mode
    keys=$(perl -MCpanel::JSON::XS -0777 -ne 'print encode_json(decode_json($_)->{retailer})' "$BUILD/sample.json" \
        | { read -r settings; psql_as pos_daemon -d pos -tA -v settings="$settings" <<< \
            "select pos.create_retailer(:'settings') #- '{live,retailer_id}' #- '{sandbox,retailer_id}'"; }) \
        || die "could not create the sample retailer"
    (umask 077 && printf '%s\n' "$keys" > "$STATE/keys.json.new")
    say "loading the sample retailer"
    for mode in sandbox live; do
        import_book "$(key_of "$mode" admin "$STATE/keys.json.new")" "$BUILD/sample.json"
    done
    mv "$STATE/keys.json.new" "$STATE/keys.json"
}

key_of() { MODE=$1 ROLE=$2 perl -MJSON::PP -0777 -ne \
    'print decode_json($_)->{$ENV{MODE}}{$ENV{ROLE}}' "${3:-$STATE/keys.json}"; }

# A key only just made is known to nginx when the feed has carried it.
import_book() {
    local key=$1 book=$2
    wait_until 10 key_known "$key" || die "the new key did not reach nginx, see $STATE/log/posd.log"
    local job
    job=$(curl -sS -m 60 -D - -o "$STATE/tmp/import.json" -H "Authorization: Bearer $key" \
        -H 'Content-Type: application/json' --data-binary "@$book" \
        "http://127.0.0.1:$POS_PORT/v1/imports" | tr -d '\r' | sed -n 's/^[Ll]ocation: //p')
    [ -n "$job" ] || { cat "$STATE/tmp/import.json" >&2; die "the import was refused"; }
    wait_until 60 job_done "$key" "$job" || die "the import did not finish: $JOB"
    case $JOB in *succeeded*) ;; *) die "the import failed: $JOB" ;; esac
}

key_known() {
    case $(curl -s -m 5 -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" \
        "http://127.0.0.1:$POS_PORT/v1/jobs?limit=1") in 401|503) return 1 ;; *) return 0 ;; esac
}

job_done() {
    JOB=$(curl -s -m 5 -H "Authorization: Bearer $1" "http://127.0.0.1:$POS_PORT$2")
    case $JOB in *'"succeeded"'*|*'"failed"'*|*'"cancelled"'*) return 0 ;; *) return 1 ;; esac
}

welcome() {
    local key
    key=$(key_of sandbox storefront)
    cat <<TEXT

ngx_pos is ready at http://127.0.0.1:$POS_PORT
sandbox key: $key        (all keys: $POS_DIR/keys.json)

A first quote. Two open-box items earn 15 %, by a promotion written in Lua
(scripts/promotions/open-box.lua); make the quantity 3 and it becomes 25 %:

curl -s http://127.0.0.1:$POS_PORT/v1/quotes \\
  -H 'Authorization: Bearer $key' \\
  -H 'Content-Type: application/json' \\
  -d '{"currency": "GBP", "store": "london", "channel": "web",
       "lines": [{"id": "1", "sku": "KETTLE-OB", "quantity": 2}]}'

TEXT
}

# --- what dies is started again ---------------------------------------------

# In production systemd does this. Here a small loop does, so that a killed process
# is back within a second or so.
start_watch() {
    is_running watch build.sh && return 0
    # shellcheck disable=SC2016
    (cd / && exec setsid bash -c 'echo $$ > "$1"; exec "$2" watch' watch "$STATE/run/watch.pid" \
        "$ROOT/build.sh" </dev/null >>"$STATE/log/watch.log" 2>&1 9>&-) &
    STARTED+=("$!")
    wait_until 5 is_running watch build.sh || die "the watcher did not start"
}

watch() {
    STATE=$(cd "$POS_DIR" && pwd -P)
    # Asked to end, it first finishes the start that it is at: bash runs a trap after the
    # command at hand. So stop finds all that there is to end.
    trap 'exit 0' TERM
    while [ -e "$STATE/run/watch.pid" ]; do
        if ! quick_running postgres; then (start_postgres) || true; fi
        if ! quick_running posd; then (start_posd) || true; fi
        if ! quick_running nginx; then (start_nginx) || true; fi
        sleep 0.3
    done
}

# No fork: this runs three times a second for ever.
quick_running() {
    local pid= file=$STATE/run/$1.pid
    [ "$1" != postgres ] || file=$STATE/pg/postmaster.pid
    { read -r pid < "$file"; } 2>/dev/null || true
    [ -n "$pid" ] && not_zombie "$pid"
}

# A zombie is not running: its first letter of state says so.
not_zombie() {
    local line=
    { read -r line < "/proc/$1/stat"; } 2>/dev/null || return 1
    case ${line##*) } in Z*|X*) return 1 ;; esac
}

# --- commands -------------------------------------------------------------

start() {
    build
    install_packages $PACKAGES
    prepare_state
    exec 9>"$STATE/lock"
    flock -w 120 9 || die "another build.sh is busy with $POS_DIR"
    free_port
    [ -z "${POS_TEMPLATE:-}" ] || copy_template
    copy_products
    start_postgres
    create_database
    migrate
    start_posd
    start_nginx
    if [ "${POS_SAMPLE:-1}" = 1 ]; then
        load_sample
    fi
    # A replica that was lost is copied first, a large book for half a minute and more.
    wait_until "${POS_READY_SECONDS:-120}" healthy || die "not ready after ${POS_READY_SECONDS:-120} s, see $STATE/log"
    [ "${POS_WATCH:-1}" = 0 ] || start_watch
    exec 9>&-
}

# Tests start from one made before: the cluster and the keys, never the replica.
copy_template() {
    [ ! -e "$STATE/pg/PG_VERSION" ] || return 0
    as_service cp -a "$POS_TEMPLATE/pg" "$STATE/pg"
    cp -a "$POS_TEMPLATE/keys.json" "$STATE/keys.json" 2>/dev/null || true
}

# ask_to_end NAME PATTERN SIGNAL SECONDS: the signal, then KILL at the deadline.
ask_to_end() {
    local pid
    is_running "$1" "$2" || { rm -f "$STATE/run/$1.pid"; return 0; }
    pid=$(pid_of "$1")
    kill -s "$3" "$pid" 2>/dev/null || true
    wait_until "$4" gone "$pid" || { kill -9 "$pid" 2>/dev/null || true; wait_until 5 gone "$pid" || true; }
    rm -f "$STATE/run/$1.pid"
}

gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.*[ZX]' "/proc/$1/status" 2>/dev/null; }

stop() {
    [ -d "$POS_DIR" ] || return 0
    STATE=$(cd "$POS_DIR" && pwd -P)
    # longer than the longest start that it may be at
    ask_to_end watch build.sh TERM 70
    ask_to_end nginx nginx QUIT "${POS_STOP_SECONDS:-10}"
    end_orphans
    ask_to_end posd posd TERM 10
    end_started
    local pid
    pid=$(pg_pid)
    if pg_running; then
        (cd / && as_service "$PG_BIN/pg_ctl" -D "$STATE/pg" -m fast -w -t 60 -s stop >/dev/null 2>&1) \
            || (cd / && as_service "$PG_BIN/pg_ctl" -D "$STATE/pg" -m immediate -w -t 20 -s stop >/dev/null 2>&1) || true
        # pg_ctl waits for the pid file to go, which PostgreSQL removes before it ends.
        wait_until 10 gone "$pid" || say "PostgreSQL ($pid) is still there"
    fi
}

status() {
    [ -d "$POS_DIR" ] || { echo "stopped: nothing under $POS_DIR"; return 3; }
    STATE=$(cd "$POS_DIR" && pwd -P)
    local code=0
    if pg_running; then echo "postgresql running ($(pg_pid))"; else echo "postgresql stopped"; code=3; fi
    if is_running posd posd; then echo "posd running ($(pid_of posd))"; else echo "posd stopped"; code=3; fi
    if is_running nginx nginx; then echo "nginx running ($(pid_of nginx))"; else echo "nginx stopped"; code=3; fi
    if [ $code -eq 0 ] && healthy; then
        echo "ready at http://127.0.0.1:$POS_PORT"
    else
        echo "not ready at http://127.0.0.1:$POS_PORT"
        code=3
    fi
    return $code
}

run() {
    trap 'trap "" INT TERM HUP; stop; exit 130' INT TERM HUP
    trap 'stop' EXIT
    start
    welcome
    while is_running watch build.sh; do
        sleep 1
    done
    die "stopped from elsewhere, see $STATE/log"
}

run_tests() {
    install_packages $PACKAGES $TEST_PACKAGES
    build
    say "building the unit tests"
    make -s -C "$ROOT" -j"$(nproc)" BUILD="$BUILD" unit >&2
    POS_BUILD=$BUILD exec perl "$ROOT/t/run.pl" "$@"
}

# What of nginx no test asks for.
NGINX_UNUSED="charset ssi userid auth_basic mirror autoindex geo split_clients referer grpc memcached empty_gif browser
    limit_conn limit_req upstream_hash upstream_ip_hash upstream_least_conn upstream_random upstream_keepalive upstream_zone"

# posd, and nginx itself from the source of Debian's package with every pool allocation
# its own, under the address and undefined-behaviour sanitizers. For t/asan.t.
build_asan() {
    local out=$BUILD-asan src=$BUILD-asan/src
    mkdir -p "$out/apt/lists/partial" "$src"
    if [ ! -e "$src/configure" ]; then
        say "fetching nginx's source"
        sed -n 's/^Types: deb$/Types: deb-src/; p' /etc/apt/sources.list.d/debian.sources > "$out/apt/src.sources" 2>/dev/null || true
        [ ! -e /etc/apt/sources.list ] || sed -n 's/^deb /deb-src /p' /etc/apt/sources.list > "$out/apt/src.list"
        local opts="-qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$out/apt -o Dir::State::lists=$out/apt/lists -o APT::Sandbox::User=root"
        # The upstream tarball is all that is wanted; Debian's own changes may have moved on.
        # shellcheck disable=SC2086
        apt-get $opts update >/dev/null 2>&1 || true
        # shellcheck disable=SC2086
        (cd "$out" && apt-get $opts source --download-only --tar-only nginx >/dev/null 2>&1) || true
        tar -xzf "$out"/nginx_*.orig.tar.gz -C "$src" --strip-components=1 2>/dev/null || { say "nginx's source is not to be had"; return 1; }
    fi
    make -s -C "$ROOT" -j"$(nproc)" BUILD="$out" OPT=-O1 HARDEN=-fPIC SAN=address,undefined "$out/libposbase.a" "$out/libposengine.a" "$out/libposreplica.a" "$out/posd" >&2 || return 1
    # The module's sources and headers are followed by nginx's own Makefile.
    if [ ! -e "$out/nginx/Makefile" ] || [ "$ROOT/config" -nt "$out/nginx/Makefile" ]; then
        (cd "$src" && POS_LIBDIR=$out ./configure --builddir="$out/nginx" --prefix=/usr/share/nginx --with-debug --with-threads \
            --with-http_v2_module --with-http_ssl_module --add-module="$ROOT" $(printf -- '--without-http_%s_module ' $NGINX_UNUSED) \
            --with-cc-opt='-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=alignment,nonnull-attribute,pointer-overflow,shift -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1' \
            --with-ld-opt='-fsanitize=address,undefined') > "$out/configure.log" 2>&1 || { tail -5 "$out/configure.log" >&2; return 1; }
    fi
    # Of nginx's own code only what it does to our memory is of interest, and it is most of the work.
    # shellcheck disable=SC2046
    (cd "$src" && rm -f "$out/nginx/nginx" \
        && make -s -j"$(nproc)" -f "$out/nginx/Makefile" CFLAGS='-pipe -g1 -O0 -fsanitize=address -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1' \
            $(grep -o '^[^ ]*/nginx/src/[^ ]*\.o:' "$out/nginx/Makefile" | tr -d :) \
        && make -s -j"$(nproc)" -f "$out/nginx/Makefile" build) > "$out/make.log" 2>&1 || { tail -5 "$out/make.log" >&2; return 1; }
    printf '%s\n' "$out/nginx/nginx" "$out/posd"
}

run_bench() {
    install_packages $PACKAGES $TEST_PACKAGES
    build
    POS_BUILD=$BUILD exec perl "$ROOT/bench/run.pl" "$@"
}

# What takes too long for every test run: processes killed a hundred times, a worker's
# memory over many requests, the units, faults and attacks under the sanitizers, the same
# quotes from five builds of poscalc, and a hundred thousand carts against the oracle.
run_soak() {
    install_packages $PACKAGES $TEST_PACKAGES
    build
    export POS_BUILD=$BUILD
    local code=0
    POS_SOAK=${POS_SOAK:-100} prove -v -I "$ROOT/t/lib" "$ROOT/t/kill9.t" || code=1
    POS_REQUESTS=${POS_REQUESTS:-200000} prove -v -I "$ROOT/t/lib" "$ROOT/t/attack.t" || code=1
    POS_ABUSE=all prove -v -I "$ROOT/t/lib" "$ROOT/t/contract_abuse.t" || code=1
    if make -s -C "$ROOT" -j"$(nproc)" BUILD="$BUILD-units" CC=clang CXX=clang++ SAN=address,undefined unit >&2; then
        # What counts calls of malloc, or its time, cannot with a malloc that is the sanitizer's.
        prove $(find "$BUILD-units/t" -type f -perm -u+x ! -name '*_memory' ! -name '*_slices' | sort) || code=1
    else
        code=1
    fi
    POS_ASAN=all prove -v -I "$ROOT/t/lib" "$ROOT/t/asan.t" || code=1
    POS_REPLAY=all POS_JOBS=$(nproc) prove -v "$ROOT/t/replay.t" || code=1
    POS_ORACLE_CARTS=${POS_ORACLE_CARTS:-100000} POS_SEED=${POS_SEED:-1000000} prove -v "$ROOT/t/oracle.t" || code=1
    return $code
}

run_fuzz() {
    install_packages $PACKAGES $TEST_PACKAGES
    make -s -C "$ROOT" BUILD="$BUILD-fuzz" CC=clang CXX=clang++ SAN=address,undefined,fuzzer-no-link fuzz >&2
    exec perl "$ROOT/t/fuzz.pl" "$BUILD-fuzz/fuzz" "$@"
}

# The engine's own tests, and what of it they run; sources named: what of them they do not.
# gcov comes with gcc.
run_coverage() {
    install_packages $PACKAGES $TEST_PACKAGES
    local out=$BUILD-coverage
    say "building the engine by gcc --coverage"
    make -s -C "$ROOT" -j"$(nproc)" BUILD="$out" CC='gcc --coverage' CXX='g++ --coverage' OPT=-O0 HARDEN=-fPIC \
        "$out/poscalc" "$out/posscript" engine-unit once >&2
    exec perl "$ROOT/t/coverage.pl" "$out" "$@"
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
    run)    run ;;
    start)  start; welcome ;;
    stop)   stop ;;
    watch)  watch ;;
    status) status ;;
    build)  build ;;
    test)   run_tests "$@" ;;
    bench)  run_bench "$@" ;;
    soak)   run_soak ;;
    asan)   build_asan ;;
    fuzz)   run_fuzz "$@" ;;
    coverage) run_coverage "$@" ;;
    *)      cat <<TEXT
usage: ./build.sh COMMAND
  run      build, start everything in the foreground; Ctrl-C stops it
  start    the same in the background; returns once it is ready
  stop     stop what start or run started
  status   say what runs; exit 0 when all of it does
  build    install what is missing and compile
  test     run every test
  bench    run the benchmarks
  soak     kill processes at random under load, 100 times; memory; sanitizers; replay
  fuzz     run the fuzzers for a while
  coverage what of the engine its tests run; with sources named, what of them they do not
POS_PORT (8080) and POS_DIR (.pos) move the port and the state folder.
TEXT
            [ "$command" = help ] || exit 2 ;;
esac
