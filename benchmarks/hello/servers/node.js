// Node's own http module.
const http = require("http");

const body = "Hello, world!";
const headers = { "Content-Type": "text/html; charset=utf-8", "Content-Length": body.length };

http
  .createServer((request, response) => {
    response.writeHead(200, headers);
    response.end(body);
  })
  .listen(Number(process.argv[2]), "127.0.0.1");
