-- A reservation is the key's that made it. Null: an order's, made inside the database.

set local role pos_owner;

alter table pos.usage add column created_by text;

reset role;
