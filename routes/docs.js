// On the docs page of somebody who tries the server out: authorizes the page, and fills in the id of the last row created.
const minted = "TOKEN"

function ready() {
  const kept = JSON.parse(localStorage.getItem("authorized") ?? "{}").bearerAuth // a token that the user has pasted
  if (kept) return
  const schema = ui.specSelectors.specJson().getIn(["components", "securitySchemes", "bearerAuth"])
  ui.authActions.authorize({ bearerAuth: { name: "bearerAuth", schema, value: minted } })
  const note = document.createElement("p")
  note.id = "authorized"
  note.setAttribute("role", "status")
  note.textContent = "This page has a token for the user demo, valid for an hour. Open an operation and press Execute."
  document.getElementById("swagger-ui").before(note)
  const base = new URL("../", location), paths = ui.specSelectors.specJson().get("paths").toJS()
  for (const path of Object.keys(paths).filter((path) => paths[path].post && paths[path + "/{id}"])) {
    fetch(new URL(path.slice(1) + "?limit=1", base), { headers: { Authorization: "Bearer " + minted } })
      .then((response) => response.json()).then(([last]) => last && fillIn(path, last.id))
  }
}

function fillIn(path, id) {
  const paths = ui.specSelectors.specJson().get("paths").toJS()
  for (const row of Object.keys(paths).filter((row) => row.startsWith(path + "/{id}"))) {
    for (const method of Object.keys(paths[row])) ui.specActions.changeParam([row, method], "id", "path", String(id), false)
  }
}

function received(response) {
  const base = new URL("..", location).pathname
  if (response.status === 201) fillIn("/" + new URL(response.url).pathname.slice(base.length), JSON.parse(response.text).id)
  return response
}
