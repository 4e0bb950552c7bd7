// Go's own net/http, with GOMAXPROCS=1 set by the harness.
package main

import (
	"log"
	"net/http"
	"os"
)

var body = []byte("Hello, world!")

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if _, err := w.Write(body); err != nil {
		log.Print(err)
	}
}

func main() {
	http.HandleFunc("/", hello)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
