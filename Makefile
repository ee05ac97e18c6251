# Two commands do everything: `make run` and `make test`. Each sets the machine up first, if that was not done yet.

PYTHON ?= /usr/bin/python3
VENV   := .venv
BIN    := $(VENV)/bin

# Mininet comes with Debian and Ubuntu, for their own Python; hence that one, and system site packages.
PACKAGES := mininet openvswitch-switch python3-venv python3-setuptools \
            iproute2 iputils-ping net-tools procps ethtool tcpdump openssl \
            iperf iperf3 telnet curl wget dnsutils dnsmasq-base netcat-openbsd socat nftables nginx-light \
            $(if $(shell command -v kubectl),,kubernetes-client)

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.DEFAULT_GOAL := help
.PHONY: help setup packages run test check lint fuzz policies mutants perf experiment bench vm vm-test vm-setup clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: packages $(VENV)/.ready  ## Install what is missing: Debian packages, the virtual environment

packages:
	@missing=$$(for package in $(PACKAGES); do \
	    dpkg-query -W -f '$${Status}\n' $$package 2>/dev/null | grep -q '^install ok installed' || echo $$package; \
	done); \
	if [ -n "$$missing" ]; then \
	    echo "installing" $$missing; \
	    $(SUDO) apt-get update -q && \
	    DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -q -y --no-install-recommends $$missing; \
	fi

$(VENV)/.ready: setup.cfg pyproject.toml | packages
	$(PYTHON) -m venv --system-site-packages $(VENV)
	@# As a path: setuptools' other way costs every start of the program 15 ms.
	$(BIN)/python -m pip install --quiet --config-settings editable_mode=compat --editable '.[test]'
	@touch $@

run: setup  ## Start the quickstart cluster (or SPEC=…), show what it does; with a terminal, end at the mininet> prompt
	@$(BIN)/python -m experiments.quickstart $(SPEC)

test: lint  ## Everything: unit, real switch, real testbed
	$(BIN)/python -m pytest --numprocesses 2 tests/unit tests/ovs
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/e2e tests/conformance

check: lint  ## What needs neither root nor namespaces: linters, unit tests, the pipeline in a real switch
	$(BIN)/python -m pytest --numprocesses 2 tests/unit tests/ovs

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config setup.cfg

fuzz: setup  ## 20,000 requests to the API as nobody would write them
	MININETES_FUZZ_REQUESTS=20000 $(BIN)/python -m pytest tests/unit/test_api_fuzz.py

policies: setup  ## NetworkPolicies to the end: all cases and 50 random clusters with real packets, 500 by trace (half an hour)
	MININETES_ALL_CASES=1 MININETES_RANDOM_CLUSTERS=500 MININETES_RANDOM_SITES=50 MININETES_FLOOD_ROUNDS=20 \
	    $(BIN)/python -m pytest --timeout 3600 tests/ovs/test_policy_cases.py tests/ovs/test_policy_random.py \
	    tests/conformance/test_netpol.py tests/conformance/test_netpol_random.py tests/e2e/test_flood.py tests/e2e/test_forgery.py

mutants: setup  ## Whether the tests of NetworkPolicies notice each of the wrong engines (an hour)
	$(BIN)/python tests/mutants/run.py

perf: setup  ## What SDN costs beside the kernel's own data plane: the performance suite (QUICK=1: two minutes)
	@$(BIN)/mininetes bench suite $(if $(QUICK),--quick)

experiment: setup  ## Run the experiment NAME=… (without one: list them); its results are in results/
	@$(if $(NAME),$(BIN)/mininetes experiment run $(NAME),$(BIN)/mininetes experiment list)

bench: setup  ## Start-up, throughput and the API beside their floors and peers
	$(BIN)/mininetes bench boot
	$(BIN)/mininetes bench throughput
	$(BIN)/mininetes bench api

vm: vm-setup  ## A shell (or CMD="…") in a virtual machine with Open vSwitch's kernel datapath, netem and SCTP
	@$(BIN)/mininetes vm $(if $(CMD),-- sh -c '$(CMD)')

vm-test: vm-setup  ## What only that kernel can show, in the virtual machine: its datapath, netem, SCTP
	$(BIN)/mininetes vm --memory 3072 -- $(BIN)/python -m pytest -p no:cacheprovider --timeout 600 -rA tests/kernel

vm-setup: setup
	@$(MAKE) --no-print-directory packages PACKAGES="qemu-system-x86 kmod"
	@$(BIN)/mininetes vm --fetch-missing

clean: setup  ## End all testbeds of this user and forget their logs
	@$(BIN)/mininetes down --all
	@$(BIN)/mininetes clean
