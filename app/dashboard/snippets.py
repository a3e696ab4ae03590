"""The first event in the languages that senders are written in: to paste, with the app's address and key in place.

Standard libraries alone, and nothing that needs quoting: an app's id and a key hold letters, digits and a few dashes.
tests/dashboard/test_snippets.py runs those whose language a machine that tests has, and reads the others.
"""

EXAMPLE_EVENT = '{"eventName": "hello", "payload": {"answer": 42}}'

PYTHON = """import json
import urllib.request

event = {event}
request = urllib.request.Request(
    "{url}",
    data=json.dumps(event).encode(),
    headers={"Authorization": "Bearer {key}", "Content-Type": "application/json"},
)
print(urllib.request.urlopen(request).read().decode())"""

JAVASCRIPT = """const event = {event};
const answer = await fetch("{url}", {
  method: "POST",
  headers: { Authorization: "Bearer {key}", "Content-Type": "application/json" },
  body: JSON.stringify(event),
});
console.log(await answer.json());"""

SWIFT = """import Foundation

var request = URLRequest(url: URL(string: "{url}")!)
request.httpMethod = "POST"
request.setValue("Bearer {key}", forHTTPHeaderField: "Authorization")
request.setValue("application/json", forHTTPHeaderField: "Content-Type")
request.httpBody = Data(#"{event}"#.utf8)
let (answer, _) = try await URLSession.shared.data(for: request)
print(String(decoding: answer, as: UTF8.self))"""

KOTLIN = '''import java.net.HttpURLConnection
import java.net.URI

fun main() {
    val connection = URI("{url}").toURL().openConnection() as HttpURLConnection
    connection.requestMethod = "POST"
    connection.setRequestProperty("Authorization", "Bearer {key}")
    connection.setRequestProperty("Content-Type", "application/json")
    connection.doOutput = true
    connection.outputStream.use { it.write("""{event}""".toByteArray()) }
    println(connection.inputStream.bufferedReader().readText())
}'''

LANGUAGES = {"Python": PYTHON, "JavaScript": JAVASCRIPT, "Swift": SWIFT, "Kotlin": KOTLIN}


def snippets(url: str, write_key: str) -> dict[str, str]:
    """Each language's name and its lines, which send one event to the address with the key."""
    given = {"{url}": url, "{key}": write_key, "{event}": EXAMPLE_EVENT}
    return {language: _filled(code, given) for language, code in LANGUAGES.items()}


def _filled(code: str, given: dict[str, str]) -> str:
    # Not str.format: the braces of four languages would all have to be doubled.
    for place, text in given.items():
        code = code.replace(place, text)
    return code
