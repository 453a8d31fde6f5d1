/** What a container finds at `WARM_DIRECTORY`, if its Python may start warm. */
export const WARM_SOCKET = "socket";

/** Names the directory of a warm Python's socket, as the container sees it. */
export const WARM_VARIABLE = "SLUICE_WARM_PYTHON";

/** The variables that change how Python itself runs, and leave a warm one as it is. */
const HARMLESS = ["PYTHON_VERSION", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"];

/** The namespaces that a container sends, in this order. */
const NAMESPACES = ["user", "mnt", "pid", "net", "ipc", "uts"];

/**
 * The message by which a container asks for a warm start, in fields that end with NUL: the prefix, the program and the packages of its
 * environment, its PID, its limits and working directory, how many arguments there are, those, and its variables. Its length in four bytes comes first, and
 * with it come its standard streams and its namespaces. The answer is "+" and then the exit code in one byte, or "-".
 */
export const WARM_CLIENT: string = `
import os, sys
import _signal, _socket, resource

directory, python, prefix, packages = sys.argv[1:5]
arguments = sys.argv[5:]


def start_cold():
    os.execv(python, [python, *arguments])


def changes_python(name, value):
    if name.startswith("PYTHON"):
        return name not in ${JSON.stringify(HARMLESS)}
    return name.startswith("LD_") or (name in ("LANG", "LC_ALL", "LC_CTYPE") and value != "C.UTF-8")


if any(changes_python(*variable) for variable in os.environ.items()):
    start_cold()
connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
try:
    # The path of the directory may be longer than the address of a socket.
    where = os.open(directory, os.O_PATH)
    connection.connect("/proc/self/fd/%d/${WARM_SOCKET}" % where)
    files = [0, 1, 2, *(os.open("/proc/self/ns/" + name, os.O_RDONLY) for name in ${JSON.stringify(NAMESPACES)})]
    limits = " ".join("%d %d %d" % (kind, *resource.getrlimit(kind)) for kind in range(16))
    fields = [os.fsencode(field) for field in (prefix, python, packages, str(os.getpid()), limits, os.getcwd(), str(len(arguments)), *arguments)]
    fields += [name + b"=" + value for name, value in os.environb.items()]
    message = b"".join(field + b"\\0" for field in fields)
    streams = b"".join(file.to_bytes(4, sys.byteorder) for file in files)
    connection.sendmsg([len(message).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
    sent = 0
    while sent < len(message):
        sent += connection.send(message[sent:])
    answer = connection.recv(1)
except OSError:
    answer = b""
if answer != b"+":
    start_cold()
for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"):
    _signal.signal(getattr(_signal, name), lambda number, frame: connection.send(bytes([number])))
code = connection.recv(1)
os._exit(code[0] if code else 137)
`;

/**
 * A Python that has loaded kfp, and lends itself to containers: `python3 -c WARM_SERVER <directory>`. For each that asks, a keeper is
 * forked that joins the container's control groups and namespaces, forks the process that becomes the container's, and stays with it: what
 * it tells of is its exit code, and when the container's end of the connection closes, it kills it. The server ends with its standard
 * input, or after a while that nobody asked; the keepers stay.
 *
 * It runs with the rights of this program, so it has loaded nothing but kfp itself, and believes a container only what the kernel
 * confirms: who is at the other end. Namespaces are files that it can only have opened itself; by its PID in them it is told from another
 * process that has got its number meanwhile.
 */
export const WARM_SERVER: string = `
import ctypes, gc, io, os, resource, runpy, select, signal, site, socket, sys, time

os.environ["_KFP_RUNTIME"] = "true"
import kfp
import kfp.dsl.executor_main

IDLE_SECONDS = 600
SETUP_SECONDS = 10
NAMESPACES = dict(zip(${JSON.stringify(NAMESPACES)}, (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000)))
CAPBSET_DROP, SET_NO_NEW_PRIVS, CAP_AMBIENT, CAP_AMBIENT_RAISE = 24, 38, 47, 2
libc = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def status_of(process):
    with open("/proc/%s/status" % process) as file:
        return dict(line.rstrip("\\n").split(":\\t", 1) for line in file if ":\\t" in line)


def groups_of(process):
    with open("/proc/%s/cgroup" % process) as file:
        return [line.rstrip("\\n").split(":", 2) for line in file]


def same_file(a, b):
    return (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)


def read_request(connection):
    header, control, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(4 * 16))
    files = [
        int.from_bytes(data[at : at + 4], sys.byteorder)
        for level, kind, data in control
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS
        for at in range(0, len(data), 4)
    ]
    length = int.from_bytes(header, "big")
    message = bytearray()
    while len(message) < length:
        part = connection.recv(min(length - len(message), 1 << 20))
        if not part:
            raise ConnectionError("the request ended early")
        message += part
    return files, bytes(message).split(b"\\0")[:-1]


class Peer:
    """The container that asks, as the kernel sees it."""

    def __init__(self, connection, namespaces, inner_pid):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid, self.uid, self.gid = (int.from_bytes(credentials[at : at + 4], sys.byteorder) for at in (0, 4, 8))
        self.namespaces = dict(zip(NAMESPACES, namespaces))
        self.status = status_of(self.pid)
        if self.status["NSpid"].split()[-1] != inner_pid:
            raise PermissionError("it is gone")
        if self.status.get("Seccomp", "0") != "0":
            raise PermissionError("system calls are filtered")
        self.groups = groups_of(self.pid)

    def join_groups(self):
        own = groups_of("self")
        for group in self.groups:
            if group in own:
                continue
            _, controllers, path = group
            root = "/sys/fs/cgroup/" + controllers if controllers else "/sys/fs/cgroup"
            root = root.replace("name=", "")
            with open(root + path + "/cgroup.procs", "w") as file:
                file.write("0")

    def enter(self, *names):
        for name in names:
            if not same_file(os.fstat(self.namespaces[name]), os.stat("/proc/self/ns/" + name)):
                check(libc.setns(self.namespaces[name], NAMESPACES[name]))

    def take_rights(self):
        wanted = {name: int(self.status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        own = {name: int(status_of("self")[name], 16) for name in wanted}
        for number in numbers_in(own["CapBnd"] & ~wanted["CapBnd"]):
            check(libc.prctl(CAPBSET_DROP, number, 0, 0, 0))
        # What may be inherited is given while there is the right to give it.
        if own["CapInh"] != wanted["CapInh"]:
            set_capabilities(own["CapEff"], own["CapPrm"], wanted["CapInh"])
        if self.uid != os.geteuid() or self.gid != os.getegid():
            os.setgroups([int(group) for group in self.status["Groups"].split()])
            os.setresgid(self.gid, self.gid, self.gid)
            os.setresuid(self.uid, self.uid, self.uid)
        own = {name: int(status_of("self")[name], 16) for name in wanted}
        if own != wanted:
            set_capabilities(*(wanted[name] for name in ("CapEff", "CapPrm", "CapInh")))
        for number in numbers_in(wanted["CapAmb"]):
            check(libc.prctl(CAP_AMBIENT, CAP_AMBIENT_RAISE, number, 0, 0))
        if self.status.get("NoNewPrivs") == "1":
            check(libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def numbers_in(capabilities):
    return [number for number in range(64) if capabilities >> number & 1]


def set_capabilities(*sets):
    words = [part for half in (0, 32) for part in (one >> half & 0xFFFFFFFF for one in sets)]
    check(libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*words)))


def reopened(number, mode, stream):
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED")) and mode == "wb"
    file = open(number, mode, 0 if unbuffered else -1, closefd=False)
    line_buffering = not unbuffered and (number == 2 or os.isatty(number))
    return io.TextIOWrapper(file, stream.encoding, stream.errors, line_buffering=line_buffering, write_through=unbuffered)


def become(fields):
    """Makes this process what the container's own Python would have been; gives what it is to run."""
    prefix, python, packages, _, limits, directory, count = (os.fsdecode(field) for field in fields[:7])
    rest = fields[7:]
    arguments = [os.fsdecode(field) for field in rest[: int(count)]]
    numbers = [int(number) for number in limits.split()]
    # It has the container's rights by now, which do not allow it more than it has.
    for kind, soft, hard in zip(numbers[::3], numbers[1::3], numbers[2::3]):
        if resource.getrlimit(kind) != (soft, hard):
            resource.setrlimit(kind, (soft, hard))
    os.chdir(directory)
    os.environb.clear()
    for variable in rest[int(count) :]:
        name, _, value = variable.partition(b"=")
        os.environb[name] = value
    time.tzset()
    sys.stdin = reopened(0, "rb", sys.stdin)
    sys.stdout = reopened(1, "wb", sys.stdout)
    sys.stderr = reopened(2, "wb", sys.stderr)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    sys.path[:] = [directory, *(entry for entry in sys.path if entry and not entry.startswith(sys.prefix + os.sep))]
    sys.prefix = sys.exec_prefix = prefix
    sys.executable, sys.orig_argv = python, [python, *arguments]
    # As if it had just started: with what the environment's own start says.
    sys.modules.pop("sluice_environment", None)
    site.addsitedir(packages)
    sys.argv = [kfp.dsl.executor_main.__file__, *arguments[2:]]
    name = arguments[1]
    # As when it is started by its name: it is run, and not only loaded.
    sys.modules.pop(name, None)
    return name


def keep(connection):
    """Stays with the container's process; returns only in that, with the name of its module."""
    connection.settimeout(SETUP_SECONDS)
    files, fields = read_request(connection)
    peer = Peer(connection, files[3:], os.fsdecode(fields[3]))
    peer.join_groups()
    peer.enter("user", "pid")
    child = os.fork()
    if child == 0:
        try:
            peer.enter("mnt", "net", "ipc", "uts")
            peer.take_rights()
            for number, file in enumerate(files[:3]):
                os.dup2(file, number)
            name = become(fields)
            connection.sendall(b"+")
        except BaseException:
            connection.sendall(b"-")
            os._exit(1)
        os.closerange(3, 1024)
        return name
    for file in (0, 1, 2, *files):
        os.close(file)
    process = os.pidfd_open(child)
    connection.setblocking(False)
    while True:
        ready, _, _ = select.select([connection, process], [], [])
        if process in ready:
            _, status = os.waitpid(child, 0)
            code = os.waitstatus_to_exitcode(status)
            try:
                connection.send(bytes([code if code >= 0 else 128 - code]))
            except OSError:
                pass  # Nobody is left to be told.
            os._exit(0)
        signals = connection.recv(64)
        try:
            for number in signals:
                os.kill(child, number)
            if not signals:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                os._exit(0)
        except ProcessLookupError:
            pass  # It has just ended.


def serve(directory):
    os.chdir(directory)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.exists("${WARM_SOCKET}"):
        os.unlink("${WARM_SOCKET}")
    listener.bind("${WARM_SOCKET}")
    # Whoever a container's process is, it may ask.
    os.chmod("${WARM_SOCKET}", 0o666)
    listener.listen(128)
    os.chdir("/")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    while True:
        ready, _, _ = select.select([listener, 0], [], [], IDLE_SECONDS)
        if not ready or 0 in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                return keep(connection)
            except BaseException:
                try:
                    connection.sendall(b"-")
                finally:
                    os._exit(1)
        connection.close()


name = serve(sys.argv[1])
try:
    runpy.run_module(name, run_name="__main__", alter_sys=True)
except Exception as error:
    # Where this file called it is nothing that the component's author knows.
    sys.excepthook(type(error), error, error.__traceback__.tb_next)
    sys.exit(1)
`;
