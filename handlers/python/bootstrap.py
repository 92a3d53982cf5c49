"""Runs a Lambda-style function of Python: asks the Runtime API for work, calls the function, answers; again and again, until nobody is there to ask.

_HANDLER: "module.function" or "dir/module.function", relative to LAMBDA_TASK_ROOT. Needs nothing but Python 3.9.
"""

import decimal
import http.client
import importlib
import importlib.util
import json
import os
import sys
import time
import traceback

HOST, _, SECRET = os.environ["AWS_LAMBDA_RUNTIME_API"].partition("/")
ROOT = ("/" + SECRET if SECRET else "") + "/2018-06-01/runtime/"
JSON_TYPE = "application/json"


class RuntimeApi:
    """One connection that is kept. When it breaks the server is gone, or wants this process to end."""

    def __init__(self):
        self._connection = http.client.HTTPConnection(HOST)

    def call(self, method, path, body=None, headers=None):
        try:
            self._connection.request(method, ROOT + path, body, headers or {})
            response = self._connection.getresponse()
            return response.headers, response.read()
        except (OSError, http.client.HTTPException):
            end(0)

    def send_error(self, path, error):
        body = describe(error)
        print("[ERROR] %s: %s\n%s" % (body["errorType"], body["errorMessage"], "".join(body["stackTrace"])), file=sys.stderr)
        self.call("POST", path, json.dumps(body).encode(), {"Content-Type": JSON_TYPE})


class Context:
    """What a function is told of its call."""

    client_context = None
    identity = None

    def __init__(self, headers):
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


def describe(error):
    # The first frame is this file's own.
    frames = traceback.extract_tb(error.__traceback__)[1:]
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_list(frames),
    }


def plain(value):
    """boto3 reads numbers of tables as decimals."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def end(code):
    """At once: threads of the function must not hold the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def load_shim():
    """What makes an old boto3 read AWS_ENDPOINT_URL. Python itself would look for it in PYTHONPATH, where the function's own may stand."""
    file = os.path.join(os.path.dirname(__file__), "..", "..", "contrib", "python", "sitecustomize.py")
    if not os.path.exists(file):
        return
    spec = importlib.util.spec_from_file_location("todoku_sitecustomize", file)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


def load(text):
    module_path, dot, name = text.rpartition(".")
    if not dot or not module_path or not name:
        raise ValueError('"%s" must be a module, a dot, and a function of it' % text)
    root = os.environ.get("LAMBDA_TASK_ROOT", os.getcwd())
    # The directory of this file stands there: a function must not import it by chance.
    sys.path[0] = root
    path = os.path.normpath(module_path)
    module = importlib.import_module(path.replace(os.sep, "."))
    return getattr(module, name)


def main():
    api = RuntimeApi()
    try:
        load_shim()
        handler = load(os.environ.get("_HANDLER", ""))
    except BaseException as error:
        api.send_error("init/error", error)
        end(1)
    while True:
        headers, body = api.call("GET", "invocation/next")
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        if request_id is None:
            end(0)
        try:
            result = json.dumps(handler(json.loads(body), Context(headers)), default=plain).encode()
        except SystemExit as error:
            end(error.code if isinstance(error.code, int) else 0 if error.code is None else 1)
        except BaseException as error:
            api.send_error("invocation/%s/error" % request_id, error)
        else:
            api.call("POST", "invocation/%s/response" % request_id, result, {"Content-Type": JSON_TYPE})
        sys.stdout.flush()


main()
