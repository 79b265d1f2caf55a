// RUN: fuse,precision
// RESOURCE: w 8x40 random 1
// RESOURCE: b 40 random 2
// CHECK: nn.constant {resource = "w", shape = [8, 40], element_type = bf16}
// CHECK: nn.constant {resource = "b", shape = [40], element_type = f32}
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x40xf32> {
  %w = nn.constant {resource = "w", shape = [8, 40], element_type = f32} : tensor<8x40xf32>
  %b = nn.constant {resource = "b", shape = [40], element_type = f32} : tensor<40xf32>
  %p = nn.dot_general %x, %w {lhs_batch = [], rhs_batch = [], lhs_contract = [1], rhs_contract = [0]} : (tensor<4x8xf32>, tensor<8x40xf32>) -> tensor<4x40xf32>
  %bs = nn.broadcast_in_dim %b {dims = [1], shape = [4, 40]} : (tensor<40xf32>) -> tensor<4x40xf32>
  %s = nn.add %p, %bs : tensor<4x40xf32>
  func.return %s : tensor<4x40xf32>
}
