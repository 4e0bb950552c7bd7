//go:build !go1.22

// Before Go 1.22 the standard mux has plain paths, and neither parameters nor methods.
package main

import (
	"net/http"
	"strings"
)

type numbered int

func (n numbered) ServeHTTP(http.ResponseWriter, *http.Request) {}

func (m *mux) build(routes [][2]string) {
	m.standard = http.NewServeMux()
	for number, route := range routes {
		if !strings.Contains(route[1], "{") {
			m.standard.Handle(route[1], numbered(number))
		}
	}
}

func (m *mux) find(asked any) (int, map[string]string) {
	handler, pattern := m.standard.Handler(asked.(*http.Request))
	if pattern == "" {
		return -1, nil
	}
	return int(handler.(numbered)), nil
}

func (m *mux) without(kind string) string {
	if kind == "static" || kind == "miss" {
		return ""
	}
	return "has no parameters before Go 1.22"
}
