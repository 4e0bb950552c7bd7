// Go's own net/http, with GOMAXPROCS=1 set by the harness: PORT APP FILES.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
)

type stock struct {
	Cellar int `json:"cellar"`
	Shop   int `json:"shop"`
}

type object struct {
	ID    int      `json:"id"`
	Name  string   `json:"name"`
	Tags  []string `json:"tags"`
	Price float64  `json:"price"`
	Stock stock    `json:"stock"`
	Sold  bool     `json:"sold"`
}

var (
	thing = object{4711, "Psidium guajava", []string{"fruit", "tropical", "green"}, 3.5,
		stock{120, 17}, false}
	hello = []byte("Hello, world!")
	ten   = bytes.Repeat([]byte("x"), 10*1024)
	many  = bytes.Repeat([]byte("x"), 1024*1024)
	piece = append(bytes.Repeat([]byte("x"), 1023), '\n')
)

func answer(w http.ResponseWriter, body []byte, kind string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

const (
	html   = "text/html; charset=utf-8"
	binary = "application/octet-stream"
)

var apps = map[string]http.HandlerFunc{
	"hello": func(w http.ResponseWriter, r *http.Request) { answer(w, hello, html) },
	"json": func(w http.ResponseWriter, r *http.Request) {
		text, _ := json.Marshal(thing)
		answer(w, text, "application/json")
	},
	"form": func(w http.ResponseWriter, r *http.Request) {
		answer(w, []byte(r.PostFormValue("name")), html)
	},
	"multipart": func(w http.ResponseWriter, r *http.Request) {
		file, _, err := r.FormFile("picture")
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		size, _ := io.Copy(io.Discard, file)
		answer(w, []byte(r.FormValue("name")+" "+strconv.FormatInt(size, 10)), html)
	},
	"body-10k": func(w http.ResponseWriter, r *http.Request) { answer(w, ten, binary) },
	"body-1m":  func(w http.ResponseWriter, r *http.Request) { answer(w, many, binary) },
	"upload": func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		answer(w, []byte(strconv.Itoa(len(body))), html)
	},
	"sink": func(w http.ResponseWriter, r *http.Request) {
		size, _ := io.Copy(io.Discard, r.Body)
		answer(w, []byte(strconv.FormatInt(size, 10)), html)
	},
	"stream": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", binary)
		for i := 0; i < 64; i++ {
			w.Write(piece)
		}
	},
	"static": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", binary)
		http.ServeFile(w, r, os.Args[3]+r.URL.Path)
	},
}

func main() {
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], apps[os.Args[2]]))
}
