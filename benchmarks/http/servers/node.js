// Node's own http module: PORT APP FILES.
const http = require("http");
const fs = require("fs");

const [port, app, files] = process.argv.slice(2);
const object = {
  id: 4711,
  name: "Psidium guajava",
  tags: ["fruit", "tropical", "green"],
  price: 3.5,
  stock: { cellar: 120, shop: 17 },
  sold: false,
};
const ten = Buffer.alloc(10 * 1024, "x");
const many = Buffer.alloc(1024 * 1024, "x");
const piece = Buffer.alloc(1024, "x");
piece[1023] = 10;
const html = "text/html; charset=utf-8";
const bytes = "application/octet-stream";

function answer(response, body, type) {
  response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function received(request, use) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => use(Buffer.concat(parts)));
}

const apps = {
  hello: (request, response) => answer(response, "Hello, world!", html),
  json: (request, response) => answer(response, JSON.stringify(object), "application/json"),
  form: (request, response) =>
    received(request, (body) =>
      answer(response, new URLSearchParams(body.toString()).get("name"), html)),
  "body-10k": (request, response) => answer(response, ten, bytes),
  "body-1m": (request, response) => answer(response, many, bytes),
  upload: (request, response) =>
    received(request, (body) => answer(response, String(body.length), html)),
  sink: (request, response) => {
    let size = 0;
    request.on("data", (part) => (size += part.length));
    request.on("end", () => answer(response, String(size), html));
  },
  stream: async (request, response) => {
    response.writeHead(200, { "Content-Type": bytes });
    for (let i = 0; i < 64; i++) {
      if (!response.write(piece)) await new Promise((done) => response.once("drain", done));
    }
    response.end();
  },
  static: (request, response) => {
    const path = files + request.url;
    fs.stat(path, (error, about) => {
      if (error) {
        response.writeHead(404).end();
        return;
      }
      response.writeHead(200, { "Content-Type": bytes, "Content-Length": about.size });
      fs.createReadStream(path).pipe(response);
    });
  },
};

http.createServer(apps[app]).listen(Number(port), "127.0.0.1");
