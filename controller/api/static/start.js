// Starts Swagger UI with the token that was typed in; sessionStorage forgets it with the tab.
"use strict";

const KEY = "hostfence-token";

function start() {
  const token = sessionStorage.getItem(KEY);
  document.getElementById("said").textContent = token ? "" : "type a token to see the API";
  if (!token) {
    return;
  }
  SwaggerUIBundle({
    url: "api/v1/openapi.json",
    dom_id: "#ui",
    validatorUrl: null,
    requestInterceptor: (request) => {
      request.headers.Authorization = "Bearer " + token;
      return request;
    },
  });
}

document.getElementById("access").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, document.getElementById("token").value.trim());
  start();
});
start();
