"""supervisord, tied to the life of the `redten up` that started it."""

import sys

from supervisor import supervisord

from local.processes import end_with_parent

if __name__ == "__main__":
    conf, parent = sys.argv[1:]
    end_with_parent(int(parent))
    supervisord.main(["--nodaemon", "--configuration", conf])
