// RUN: shard{sram_budget=14500}
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 64x128 random 1
// RESOURCE: v 128x64 random 2
// RESOURCE: u 64x128 random 3
// Three weights of 32 KB on six nodes: what is left out of SRAM has no layout, and is loaded before
// the kernel in front of its reader.
// CHECK: [[DRAM:%[a-z0-9_]+]] = nn.constant {resource = "[[NAME:[wvu]]]", {{.*}}} : tensor<{{[0-9x]+}}xf32>
// CHECK-NEXT: mesh.exchange [[DRAM]] {kind = "load"
// CHECK: nn.fused
func.func @main(%x: tensor<8x64xf32>) -> tensor<8x128xf32> {
  %w = nn.constant {resource = "w", shape = [64, 128], element_type = f32, loc = "node 'MatMul_0'"} : tensor<64x128xf32>
  %v = nn.constant {resource = "v", shape = [128, 64], element_type = f32, loc = "node 'MatMul_1'"} : tensor<128x64xf32>
  %u = nn.constant {resource = "u", shape = [64, 128], element_type = f32, loc = "node 'MatMul_2'"} : tensor<64x128xf32>
  %y = nn.fused %x, %w {loc = "node 'MatMul_0'"} : (tensor<8x64xf32>, tensor<64x128xf32>) -> tensor<8x128xf32> {
  ^bb0(%a: tensor<8x64xf32>, %b: tensor<64x128xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_0'"} : (tensor<8x64xf32>, tensor<64x128xf32>) -> tensor<8x128xf32>
    nn.yield %c : tensor<8x128xf32>
  }
  %z = nn.fused %y, %v {loc = "node 'MatMul_1'"} : (tensor<8x128xf32>, tensor<128x64xf32>) -> tensor<8x64xf32> {
  ^bb0(%a: tensor<8x128xf32>, %b: tensor<128x64xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_1'"} : (tensor<8x128xf32>, tensor<128x64xf32>) -> tensor<8x64xf32>
    nn.yield %c : tensor<8x64xf32>
  }
  %o = nn.fused %z, %u {loc = "node 'MatMul_2'"} : (tensor<8x64xf32>, tensor<64x128xf32>) -> tensor<8x128xf32> {
  ^bb0(%a: tensor<8x64xf32>, %b: tensor<64x128xf32>):
    %c = nn.dot_general %a, %b {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0], loc = "node 'MatMul_2'"} : (tensor<8x64xf32>, tensor<64x128xf32>) -> tensor<8x128xf32>
    nn.yield %c : tensor<8x128xf32>
  }
  func.return %o : tensor<8x128xf32>
}
