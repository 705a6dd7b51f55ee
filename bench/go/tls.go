// SPDX-License-Identifier: Apache-2.0

// TLS 1.3 over the loopback, both ends in one process, as bench/tls does it. The key exchange is
// X25519 alone, as OpenSSL 3.0's: Go's own choice is the costlier X25519MLKEM768.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"sync"
	"time"
)

const tlsClients = 8

func tlsMust(err error) {
	if err != nil {
		panic(err)
	}
}

// tlsWorld is an authority and a certificate for localhost, ECDSA P-256.
func tlsWorld() (server, client *tls.Config) {
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
			BasicConstraintsValid: true,
		}
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tlsMust(err)
	root := template(1, "Test Authority")
	root.IsCA = true
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	tlsMust(err)
	root, err = x509.ParseCertificate(rootDER)
	tlsMust(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	tlsMust(err)
	leaf := template(2, "localhost")
	leaf.DNSNames = []string{"localhost"}
	leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, rootKey)
	tlsMust(err)
	roots := x509.NewCertPool()
	roots.AddCert(root)
	curves := []tls.CurveID{tls.X25519}
	server = &tls.Config{
		Certificates:     []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		CurvePreferences: curves,
	}
	client = &tls.Config{RootCAs: roots, ServerName: "localhost", CurvePreferences: curves}
	return server, client
}

func tlsHandshakes(c call, resumed bool) {
	serving, calling := tlsWorld()
	if resumed {
		calling.ClientSessionCache = tls.NewLRUClientSessionCache(64)
	}
	on, err := tls.Listen("tcp", "127.0.0.1:0", serving)
	tlsMust(err)
	defer on.Close()
	go func() {
		for {
			conn, err := on.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buffer := make([]byte, 64)
				if _, err := conn.Write([]byte("x")); err == nil {
					conn.Read(buffer)
				}
			}()
		}
	}()
	once := func() bool {
		conn, err := tls.Dial("tcp", on.Addr().String(), calling)
		tlsMust(err)
		defer conn.Close()
		_, err = io.ReadFull(conn, make([]byte, 1))
		tlsMust(err)
		return conn.ConnectionState().DidResume
	}
	shake := func(count int) {
		var all sync.WaitGroup
		for range tlsClients {
			all.Go(func() {
				for range count / tlsClients {
					once()
				}
			})
		}
		all.Wait()
	}
	count := c.count(2000, tlsClients)
	shake(max(count/10, tlsClients))
	if once() != resumed {
		panic("not as it should be: resumed")
	}
	r := newResult(c)
	r.start()
	shake(count)
	r.stop(count)
	r.print()
}

func tlsRecords(c call) {
	const bytes = 16384
	serving, calling := tlsWorld()
	on, err := tls.Listen("tcp", "127.0.0.1:0", serving)
	tlsMust(err)
	defer on.Close()
	count := c.count(20_000, 1)
	go func() {
		conn, err := on.Accept()
		tlsMust(err)
		record := make([]byte, bytes)
		one := make([]byte, 1)
		for {
			if _, err := io.ReadFull(conn, one); err != nil {
				return
			}
			for range count {
				_, err := conn.Write(record)
				tlsMust(err)
			}
		}
	}()
	conn, err := tls.Dial("tcp", on.Addr().String(), calling)
	tlsMust(err)
	defer conn.Close()
	buffer := make([]byte, bytes)
	take := func() {
		_, err := conn.Write([]byte("g"))
		tlsMust(err)
		for range count {
			_, err := io.ReadFull(conn, buffer)
			tlsMust(err)
		}
	}
	take()
	r := newResult(c)
	r.start()
	take()
	r.stop(count)
	r.print()
}
