// Sends what the forms of the page describe, and shows what comes back.
"use strict";

const key = document.getElementById("key");
const { lost } = document.querySelector("main").dataset;

for (const form of document.forms) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.parentElement.querySelector("pre");
    output.hidden = false;
    output.textContent = "…";
    output.textContent = await ask(form).catch((error) => `${lost}: ${error.message}`);
  });
}

async function ask(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("input")) {
    if (input.dataset.place === "path") {
      path = path.replace(`{${input.name}}`, () => encodeURIComponent(input.value));
    } else if (input.value !== "") {
      query.append(input.name, input.value);
    }
  }
  const body = form.querySelector("textarea")?.value;
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (form.dataset.writes === "true" && key.value !== "") headers.Authorization = `Bearer ${key.value}`;
  const url = query.size > 0 ? `${path}?${query}` : path;
  const response = await fetch(url, { method: form.dataset.method, headers, body, cache: "no-store" });
  const type = response.headers.get("Content-Type") ?? "";
  const text = await response.text();
  return `${form.dataset.method} ${url}\n${response.status} ${type}\n\n${pretty(text)}`;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
