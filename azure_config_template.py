"""How pyveg reaches your Azure accounts. Keep this file out of version control.

`pyveg_azure_config` writes a copy of it as azure_config.py. Fill in what you need. What is left
empty here is taken from an environment variable, if there is one: PYVEG_AZURE_ and the name in
capitals, such as PYVEG_AZURE_STORAGE_ACCOUNT_KEY.

Better than keys: leave the keys empty, and log in with `az login`. Your user then needs the role
"Storage Blob Data Contributor" on the storage account.
"""

# Storage: where results go with output_location_type = "azure".
storage_account_name = ""
storage_account_key = ""
storage_account_url = ""  # only where it is not https://<name>.blob.core.windows.net
sas_hours = 168  # how long worker processes and nodes may use the container of a run

# Batch: the account that runs tasks.
batch_account_name = ""
batch_account_key = ""
batch_account_url = ""  # such as https://<name>.<region>.batch.azure.com

# The pool of nodes. One that exists already is used as it is and never deleted.
batch_pool_id = "pyveg"
pool_vm_size = "Standard_D2s_v5"
wait_for_quota = ""  # such as "2h": wait where a quota is used up, or Azure has no machines
pool_vm_sizes = ()  # or some, of which the smallest is taken that has what Modules need
# What a size has whose name does not tell: {"NAME": {"cpus": 6, "memory_gb": 112, "gpus": 1}}
vm_sizes = {}
pool_low_priority_node_count = 0  # Spot nodes: cheaper, may be taken away
pool_dedicated_node_count = 1
dedicated_after = ""  # such as "10m": replace Spot nodes that are missing for so long
pool_autoscale_formula = ""  # passed through to Azure instead of the two numbers
task_slots_per_node = 2  # tasks that run on a node at once
pool_image = {
    "publisher": "microsoft-dsvm",
    "offer": "ubuntu-hpc",
    "sku": "2204",
    "version": "latest",
}
pool_node_agent = "batch.node.ubuntu 22.04"
pool_identity = ""  # resource id of the managed identity that the pool has
pool_identity_client_id = ""  # client id of it
keep_pool = False  # True: leave the pool when the run ends; it goes on costing money

task_retries = 1  # a task that failed is tried so often again
node_start_minutes = 60  # a run gives up when no node has come up for so long
waiting_minutes = 1  # it is told why, when tasks wait for so long while nodes idle
poll_seconds = 1  # least time between two looks at what has changed; 30 at most

# Names of environment variables whose values your tasks need too, such as "EE_TOKEN".
node_environment = []

# Tasks in containers instead of a Python environment on each node.
container_image = ""
container_registry = ""

# Pools by name, of which batch_pool_id chooses one: {"gpu": {"vm_size": ..., "max_nodes": 4}}
pools = {}
# Modules that go to another of them: {"ChipTrainer": "gpu"}
module_pools = {}

# Your own labels of what a run makes, such as {"project": "sahel"}, to find it in a bill.
labels = {}

# What your account may have, as the portal shows it under Quotas; checked before a run:
# {"dedicated_cores": 20, "spot_cores": 100, "pools": 100, "jobs": 300}
quotas = {}
