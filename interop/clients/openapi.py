"""Whether answers are as the OpenAPI document of the server says."""

import jsonschema

from http_json import Reply, request


class Document:
    """The OpenAPI document of a server."""

    def __init__(self, server) -> None:
        self.server = server
        self.json = request(server, "GET", "/openapi.json").json

    def ask(self, method: str, path: str, pattern: str | None = None, body=None, **headers: str) -> Reply:
        """Sends a request for the path that `pattern` describes, and checks the answer."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = request(self.server, method, path, body, headers)
        response = self.json["paths"][pattern or path][method.lower()]["responses"][str(reply.status)]
        if "$ref" in response:
            response = self.json["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        media_type = reply.headers["Content-Type"].split(";")[0]
        schema = response["content"][media_type]["schema"]
        answer = reply.json if media_type.endswith("json") else reply.text
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        whole = {**schema, "components": self.json["components"]}
        jsonschema.Draft202012Validator(whole, format_checker=checker).validate(answer)
        return reply
